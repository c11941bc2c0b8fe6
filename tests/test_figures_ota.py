"""The charts about updates and monitoring draw, and say what they show."""

import altair as alt
import pandas as pd
import pytest

from hwaware_utils.decide.monitoring import SIGNALS
from hwaware_utils.report import charts, figures

SIZES = pd.DataFrame(
    {
        "variant": "memory", "scales": ["frozen"] * 2 + ["fresh"] * 2, "method": ["aligned_range", "full_lzma"] * 2,
        "delta_bytes": [20480, 360000, 51200, 361000], "package_bytes": [20657, 360177, 51377, 361177],
        "image_bytes": 437904, "share": [0.047, 0.822, 0.117, 0.824], "bound_bytes": [20000.0] * 2 + [53000.0] * 2,
        "above_bound": [0.02, 17.0, -0.03, 5.8], "ram_bytes": 11264, "ram_evidence": "modelled", "evidence": "measured",
    }
)  # fmt: skip
CUTS = pd.DataFrame(
    [
        {"operation": k, "kind": "program" if k else "erase", "region": "slot 1" if k < 99 else "journal", "outcome": outcome,
         "boots": "new" if k == 99 and outcome == "everything" else "old", "version": 1, "evidence": "simulated"}
        for k in range(100) for outcome in ("nothing", "part", "everything")
    ]
)  # fmt: skip
WATCHED = pd.DataFrame(
    [
        {"window": k, "frames": 100 * (k + 1), "signal": signal, "statistic": 0.02 * (1 + 9 * (k > 2 and signal == "contrast")),
         "threshold": 0.1, "alarm": k > 2 and signal == "contrast", "mean": 0.5, "clean_mean": 0.5, "method": "psi",
         "evidence": "measured"}
        for k in range(6) for signal in SIGNALS
    ]
)  # fmt: skip
DETECTED = pd.DataFrame(
    {
        "corruption": ["none", "noise", "blur"] * 2, "severity": [0, 3, 1] * 2, "method": ["psi"] * 3 + ["page_hinkley"] * 3,
        "accuracy": [0.84, 0.52, 0.83] * 2, "accuracy_change_points": [0.0, -32.0, -1.0] * 2,
        "alarm_share": [0.0, 1.0, 0.8, 0.0, 1.0, 0.0], "trigger_frames": [None, 200, 300, None, 200, None],
        "trigger_signal": ["", "sharpness", "sharpness", "", "confidence", ""], "evidence": "measured",
    }
)  # fmt: skip
CHARTS = {
    "delta_sizes": (lambda: figures.delta_sizes(SIZES), "memory, scales frozen: aligned_range 20.2 KiB (4.7% of the file"),
    "power_cuts": (
        lambda: figures.power_cuts(CUTS),
        "300 power cuts in 100 writes: old model boots after 299, new model boots",
    ),
    "drift_stream": (lambda: figures.drift_stream(WATCHED), "Alarms: 3, the first by contrast after 400 frames"),
    "no drift": (lambda: figures.drift_stream(WATCHED.assign(alarm=False)), "Alarms: none"),
    "drift_detection": (
        lambda: figures.drift_detection(DETECTED),
        "psi finds 2 of 2; page_hinkley finds 1 of 2, the worst that it misses costs 1.0 points",
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_draws_and_says_what_it_shows(name):
    charts.enable()
    try:
        draw, finding = CHARTS[name]
        spec = draw().to_dict()
    finally:
        alt.renderers.enable("default")
        alt.theme.enable("default")
    assert finding in spec["description"]
    assert charts.to_svg(spec).startswith("<svg")
    assert '"width":' not in str({k: v for k, v in spec.items() if k != "config"}).replace("'", '"')
    assert "nan" not in spec["description"].lower()


def test_the_only_cut_after_which_the_new_model_boots_has_a_mark_of_its_own():
    spec = figures.power_cuts(CUTS).to_dict()
    cells, marks = (layer["data"]["name"] for layer in spec["layer"])
    assert [row["operation"] for row in spec["datasets"][marks]] == [99]
    assert sum(row["cuts"] for row in spec["datasets"][cells]) == len(CUTS) - 1
    assert {row["shown"] for row in spec["datasets"][cells]} == {"old model boots"}
