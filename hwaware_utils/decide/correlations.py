"""How closely accuracy, latency, size and energy move together, and at which level: between networks or within one."""

import math
from itertools import product

import numpy as np
import pandas as pd

from ..base.evidence import EVIDENCE

PAIRS = [("accuracy", "latency_ms"), ("accuracy", "size_bytes"), ("accuracy", "energy_mj"), ("latency_ms", "energy_mj"),
         ("latency_ms", "size_bytes")]  # fmt: skip
LEVELS = ("all", "between networks", "within a network")


def correlate(configurations: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r of each pair of quantities on each platform, with its 95 % interval. Costs are taken as logarithms.

    `configurations` is configurations.csv; rows without a latency are left out. Three levels: all configurations; the means
    of the networks; what is left when each network's mean is subtracted, so that only the formats differ. Columns:
    platform, first, second, level, n, r, r_low, r_high, r_squared, rank_r (Spearman's), evidence (the weakest of both).
    Nothing stands where fewer than three points or no spread are left.
    """
    running = configurations.dropna(subset=["latency_ms"])
    rows = []
    for (platform, table), (first, second), level in product(running.groupby("platform", sort=False), PAIRS, LEVELS):
        kinds = [kind for name in (first, second) for kind in table[f"{name}_evidence"].unique()]
        values, lost = _at_level(table, first, second, level)
        rows.append(
            {"platform": platform, "first": first, "second": second, "level": level, "n": len(values)}
            | _correlation(values, lost)
            | {"evidence": max(kinds, key=list(EVIDENCE).index)}
        )
    return pd.DataFrame(rows)


def fisher_interval(r: float, n: float) -> tuple[float, float]:
    """95 % interval of a correlation of `n` independent points (Fisher 1921); without information below four points.

    >>> [round(end, 2) for end in fisher_interval(0.5, 28)], fisher_interval(0.9, 3)
    ([0.16, 0.74], (-1.0, 1.0))
    """
    if n <= 3:
        return -1.0, 1.0
    centre, half = math.atanh(max(min(r, 1 - 1e-12), -1 + 1e-12)), 1.96 / math.sqrt(n - 3)
    return math.tanh(centre - half), math.tanh(centre + half)


def _at_level(table: pd.DataFrame, first: str, second: str, level: str) -> tuple[pd.DataFrame, int]:
    """The two columns at this level, and how many degrees of freedom taking away the means has cost."""
    costs = {name: table[name] if name == "accuracy" else np.log(table[name]) for name in (first, second)}
    values = pd.DataFrame(costs)
    groups = values.groupby(table["architecture"], sort=False)
    if level == "between networks":
        return groups.mean(), 0
    return (values - groups.transform("mean"), groups.ngroups - 1) if level == "within a network" else (values, 0)


def _correlation(values: pd.DataFrame, lost: int) -> dict:
    first, second = (values[name] for name in values)
    if len(values) - lost < 3 or first.std() < 1e-12 or second.std() < 1e-12:
        return dict.fromkeys(("r", "r_low", "r_high", "r_squared", "rank_r"), np.nan)
    r = float(np.clip(first.corr(second), -1, 1))
    low, high = fisher_interval(r, len(values) - lost)
    return {"r": r, "r_low": low, "r_high": high, "r_squared": r * r, "rank_r": float(first.rank().corr(second.rank()))}
