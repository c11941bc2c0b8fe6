"""The charts about smaller architectures draw, and say what they show."""

import pandas as pd

from hwaware_utils.report import charts, figures

SWEEP = pd.DataFrame(
    {
        "kept_share": [1.0, 0.5, 0.5], "choice": ["importance", "importance", "random"], "start_accuracy": [0.9, 0.8, 0.6],
        "accuracy": [0.9, 0.85, 0.7], "accuracy_n": 1000, "images": 500, "epochs": 1, "evidence": "measured",
    }
)  # fmt: skip
TAUGHT = pd.DataFrame(
    {
        "architecture": ["memory", "memory"], "teacher_weight": [0.7, 0.0], "start_accuracy": 0.5, "accuracy": [0.82, 0.8],
        "accuracy_low": [0.81, 0.79], "accuracy_high": [0.83, 0.81], "images": 500, "evidence": "recorded",
    }
)  # fmt: skip


def test_the_sweep_tells_the_hardest_cut():
    spec = figures.pruning_sweep(SWEEP).to_dict()
    assert "50% kept: importance 0.800 as cut, 0.850 after; random 0.600 as cut, 0.700 after" in spec["description"]
    assert "<svg" in charts.to_svg(spec)


def test_distillation_tells_the_gain():
    spec = figures.distillation(TAUGHT).to_dict()
    assert "memory +2.0 points" in spec["description"]
    assert "<svg" in charts.to_svg(spec)
