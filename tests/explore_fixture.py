"""A search without trainings: accuracies by a law that the tests know."""

import json

import numpy as np
import pandas as pd

from hwaware_utils.base.results import REFERENCE
from hwaware_utils.decide.explore.search import Search
from hwaware_utils.decide.explore.space import as_points, with_work
from hwaware_utils.decide.explore.surrogate import fit_surrogate
from hwaware_utils.study.exploration_points import space_filling
from hwaware_utils.study.recipe import Recipe

BASELINE = next(
    e for e in json.loads((REFERENCE / "manifest.json").read_text()).values() if e["recipe"].get("resolution") == 128
)
START = Recipe(**BASELINE["recipe"])
HAND_MADE = as_points([[0.5, 0.75, 0.5, 96], [0.4, 0.5, 0.25, 96], [0.75, 1.0, 1.0, 96]])


def brief_table(noise: float = 0.02, seed: int = 0) -> pd.DataFrame:
    """19 points whose error rate is exp(4.2 - 0.37 log MACs - 0.1 taught), times exp(noise)."""
    points = HAND_MADE + space_filling(16, [64, 96, 128], 7)
    table = with_work(pd.DataFrame([vars(point) for point in points]), START)
    chance = noise * np.random.default_rng(seed).standard_normal(len(table))
    return table.assign(
        accuracy=1 - np.exp(4.2 - 0.37 * np.log(table["macs"]) - 0.1 * table["taught"] + chance),
        accuracy_n=10_000,
        images=20_000,
        images_all=50_000,
        epochs=2,
    )


def make_search(kind=Search, platform: str = "arm_cortex_m7", **more) -> Search:
    """A search on `brief_table`; `kind` is Search or a subclass."""
    brief = brief_table()
    full = brief.head(3)[["accuracy", "accuracy_n"]].rename(columns={"accuracy": "accuracy_brief"})
    full = full.assign(accuracy=1 - (1 - full["accuracy_brief"]) * [0.8, 0.72, 0.9], longer=2.4)
    surrogate = fit_surrogate(brief, full, 0.95, 2.4)
    return kind(platform, START, surrogate, (0.0003, 0.0004, 4), (64, 96, 128), tuple(HAND_MADE), **more)
