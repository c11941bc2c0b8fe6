"""The figures of the study: drawn, told in words, fed from the right columns, linked, and honest about their axes."""

import functools
import json
import re

import altair as alt
import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base.evidence import EVIDENCE
from hwaware_utils.base.evidence import SHAPES as EVIDENCE_SHAPES
from hwaware_utils.report import charts, figures_radar, figures_study
from hwaware_utils.study import evaluation

COUNTS = evaluation.confusion(np.array([0, 0, 1, 2, 1, 0, 2, 2]), np.array([0, 0, 0, 0, 1, 1, 2, 2]), ("cat", "dog", "ship"))
CLASSES = evaluation.per_class_of(COUNTS)
BATCHES = pd.DataFrame(
    {
        "variant": ["a"] * 3 + ["b"] * 3, "batch": [1, 2, 4] * 2, "latency_ms": [1.0, 1.5, 3.0, 0.5, 0.8, 2.0],
        "latency_ms_low": 0.4, "latency_ms_high": 4.0, "images_per_s": [1000.0, 1333.0, 1333.4, 2000.0, 2500.0, 2000.0],
        "images_per_s_low": 900.0, "images_per_s_high": 2600.0, "threads": 1, "runtime": "r",
        "evidence": ["measured"] * 3 + ["recorded"] * 3,
    }
)  # fmt: skip
SIZES = pd.DataFrame(
    {
        "what": ["weights", "checkpoint .h5", ".tflite fp32"], "kind": ["arithmetic", "training file", "deployed file"],
        "size_bytes": [4 << 20, 12 << 20, 4 << 20], "size_mib": [4.0, 12.0, 4.0], "tflite_ratio": [1.0, 3.0, 1.0],
        "note": ["n"] * 3, "evidence": ["modelled", "measured", "measured"],
    }
)  # fmt: skip
VARIANTS = pd.DataFrame(
    {
        "variant": ["big-fp32", "big-int8_ptq", "small-fp32", "small-int8_ptq"],
        "architecture": ["big", "big", "small", "small"],
        "precision": ["fp32", "int8_ptq"] * 2, "accuracy": [0.93, 0.92, 0.90, 0.89], "accuracy_low": [0.92, None, 0.89, 0.88],
        "accuracy_high": [0.94, None, 0.91, 0.90], "latency_ms": [2.0, 0.8, 1.0, 0.4], "latency_ms_low": [1.9, 0.7, 0.9, 0.3],
        "latency_ms_high": [2.2, 1.0, 1.2, 0.6], "size_bytes": [8192, 3072, 4096, 1024], "macs": [90, 90, 30, 30],
        "parameters": [9, 9, 3, 3], "arena_bytes": [600, 150, 300, 75],
        "evidence": ["recorded", "measured", "measured", "measured"],
    }
)  # fmt: skip
FLOATS = VARIANTS[VARIANTS["precision"] == "fp32"]

CHARTS = {
    "confusion_matrix": lambda: figures_study.confusion_matrix(COUNTS),
    "class_accuracy": lambda: figures_study.class_accuracy(CLASSES),
    "throughput": lambda: figures_study.throughput(BATCHES),
    "throughput of one model": lambda: figures_study.throughput(BATCHES.head(3).drop(columns="variant")),
    "size_breakdown": lambda: figures_study.size_breakdown(SIZES),
    "linked_tradeoffs": lambda: figures_study.linked_tradeoffs(VARIANTS),
    "radar": lambda: figures_radar.radar(FLOATS),
}


@functools.cache
def spec_of(name: str) -> dict:
    """The Vega-Lite of a chart, made once: Altair takes its time to check it."""
    return CHARTS[name]().to_dict()


@pytest.fixture(autouse=True)
def our_renderer():
    """The renderer and the theme of a notebook, for one test."""
    charts.enable()
    yield
    alt.renderers.enable("default")
    alt.theme.enable("default")


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", CHARTS)
def test_chart_draws_marks_and_tells_what_it_shows(name):
    output = CHARTS[name]()._repr_mimebundle_()
    output = output[0] if isinstance(output, tuple) else output
    spec, svg = output[charts.MIMETYPE], output["image/svg+xml"]
    assert len(spec["description"]) > 40
    assert "nan" not in spec["description"].lower()
    assert re.search(r'class="mark-(symbol|rect|line)[^>]*>\s*<path', svg), "the chart is blank"
    assert "NaN" not in svg
    assert json.dumps(spec) == json.dumps(spec_of(name) | {"$schema": charts.SCHEMA}), "it differs on every run"


@pytest.mark.parametrize("name", [name for name in CHARTS if name not in ("confusion_matrix", "size_breakdown", "radar")])
def test_chart_shows_all_six_kinds_of_evidence_in_its_legend(name):
    svg = charts.to_svg(spec_of(name))
    assert [kind for kind in EVIDENCE if f">{kind}</text>" not in svg] == []


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("confusion_matrix", ["actual", "predicted", "count", "share"]),
        ("class_accuracy", ["accuracy", "accuracy_low", "accuracy_high", "most_often_taken_for", "precision_share"]),
        ("throughput", ["batch", "images_per_s", "images_per_s_low", "latency_ms", "runtime", "threads"]),
        ("size_breakdown", ["what", "kind", "size_mib", "tflite_ratio", "note"]),
        ("linked_tradeoffs", ["size_kib", "latency_ms", "accuracy", "architecture", "evidence"]),
        ("radar", ["architecture", "axis", "score", "value"]),
    ],
)
def test_chart_uses_these_columns(name, columns):
    spec = json.dumps(spec_of(name))
    used = set(re.findall(r'"(?:field|detail)": "(\w+)"', spec))
    assert set(columns) <= used


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("confusion_matrix", "5 of 8 images stand on the diagonal. Commonest mistakes: cat taken for dog (1)"),
        ("class_accuracy", "0.625 on all images. Best is ship (1.000), worst dog (0.500), most often taken for cat"),
        ("throughput", "a peaks at 1,333 with batch 4; b peaks at 2,500 with batch 2"),
        ("size_breakdown", "checkpoint .h5, has 12.0 MiB: 3.0 times the deployed .tflite fp32 with 4.0 MiB"),
        ("linked_tradeoffs", "smallest: small-int8_ptq (1 KiB, 0.890)"),
        ("radar", "Best: accuracy big; speed small; small file small; little work small; little memory small"),
    ],
)
def test_description_states_the_finding(name, finding):
    assert finding in spec_of(name)["description"]


def test_empty_cells_stay_empty_and_many_classes_lose_their_numbers_not_their_cells():
    svg = charts.to_svg(spec_of("confusion_matrix"))
    cells = re.findall(r'aria-roledescription="text mark"[^>]*>(\d+)<', svg)
    assert sorted(cells) == sorted(str(n) for n in COUNTS["count"] if n)
    many = evaluation.confusion(np.arange(30), np.arange(30), [f"c{n:02d}" for n in range(30)])
    drawn = charts.to_svg(figures_study.confusion_matrix(many).to_dict())
    assert 'aria-roledescription="text mark"' not in drawn
    assert drawn.count('aria-roledescription="rect mark"') == 900


def test_both_panels_answer_to_the_same_selections():
    spec = spec_of("linked_tradeoffs")
    names = [layer["name"] for panel in spec["vconcat"] for layer in panel["layer"] if "name" in layer]
    assert len(names) == 2
    assert {param["name"]: param["views"] for param in spec["params"]} == {"architecture": names, "precision": names}
    marks = [layer for panel in spec["vconcat"] for layer in panel["layer"] if "shape" in layer["encoding"]]
    tests = [condition["test"] for layer in marks for condition in layer["encoding"]["opacity"]["condition"]]
    assert tests == [{"and": [{"param": "architecture"}, {"param": "precision"}]}] * 2


def test_radar_scores_are_ratios_to_the_best():
    scores = figures_radar.radar_scores(FLOATS).set_index(["architecture", "axis"])["score"]
    assert scores["small", "speed"] == 1
    assert scores["big", "speed"] == 0.5
    assert scores["big", "accuracy"] == 1
    assert scores["small", "accuracy"] == pytest.approx(0.90 / 0.93)
    assert scores["big", "little work"] == pytest.approx(1 / 3)
    assert scores.groupby("axis").max().eq(1).all()


def test_radar_vertices_lie_on_their_axes_at_their_score():
    scores = figures_radar.radar_scores(FLOATS.sample(frac=1, random_state=0))
    assert np.allclose(np.hypot(scores["x"], scores["y"]), scores["score"])
    up = scores[scores["place"] == 0]
    assert np.allclose(up["x"], 0)
    assert (up["y"] > 0).all()
    for _, axis in scores.groupby("axis"):
        assert np.allclose(np.arctan2(axis["x"], axis["y"]), np.arctan2(axis["x"], axis["y"]).iloc[0])


def test_radar_is_round_and_borrows_no_mark_of_evidence():
    spec = spec_of("radar")
    x, y = (np.ptp(domain) for domain in (figures_radar.X_DOMAIN, figures_radar.Y_DOMAIN))
    assert spec["width"] / x == pytest.approx(spec["height"] / y, rel=0.01)
    assert spec["width"] <= 340, "it would not fit on a phone"
    assert not set(figures_radar.SHAPES) & set(EVIDENCE_SHAPES.values())


@pytest.mark.parametrize(
    "table",
    [FLOATS[["architecture", "accuracy", "macs", "evidence"]], VARIANTS, FLOATS.assign(macs=[0, 5])],
    ids=["two axes", "an architecture twice", "a cost of zero"],
)
def test_radar_refuses_what_it_cannot_compare(table):
    with pytest.raises(ValueError, match="radar chart"):
        figures_radar.radar(table)


@pytest.mark.parametrize("name", [name for name in CHARTS if name != "radar"])
def test_no_chart_but_the_round_one_fixes_its_width(name):
    assert '"width":' not in json.dumps({k: v for k, v in spec_of(name).items() if k != "config"})
