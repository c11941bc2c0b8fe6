"""What an objective prefers: costs of each configuration, lower is better, and the order that follows."""

import math
from numbers import Real

import numpy as np
import pandas as pd

from ..base.errors import UserError, nearest

# What a weight may stand before: column, sign of the cost, divisor and unit in which a gain is told.
GOALS = {
    "accuracy": ("accuracy", -1.0, 0.01, "points"),
    "latency": ("latency_ms", 1.0, 1.0, "ms"),
    "memory": ("ram_bytes", 1.0, 1024.0, "KiB"),
    "energy": ("energy_mj", 1.0, 1.0, "mJ"),
    "size": ("size_bytes", 1.0, 1024.0, "KiB"),
}
# What each objective sorts by, best first; the later columns only break ties.
OBJECTIVES = {
    "latency": ["latency_ms", "accuracy", "ram_bytes"],
    "memory": ["ram_bytes", "size_bytes", "accuracy"],
    "energy": ["energy_mj", "accuracy", "latency_ms"],
    "accuracy": ["accuracy", "latency_ms", "ram_bytes"],
    "balanced": ["distance", "accuracy"],
}
BALANCED = {"accuracy": 1.0, "latency": 1.0, "memory": 1.0, "energy": 1.0}


def check_objective(objective: str | dict[str, float]) -> str | dict[str, float]:
    """An objective's name, or weights as {goal: weight} with those of 0 left out. UserError for anything else."""
    if not isinstance(objective, dict):
        if not isinstance(objective, str) or objective not in OBJECTIVES:
            raise UserError(f"objective {objective!r} is unknown{nearest(objective, OBJECTIVES)}")
        return objective
    for name, weight in objective.items():
        if name not in GOALS:
            raise UserError(f"weight {name!r} is unknown{nearest(name, GOALS)}")
        number = isinstance(weight, Real) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            raise UserError(f"weight {name} = {weight!r} is no weight: give a number of 0 or more.")
    kept = {name: float(weight) for name, weight in objective.items() if weight > 0}
    if not kept:
        raise UserError(f"the weights {objective} favour nothing: give at least one above 0, e.g. {{'accuracy': 2}}.")
    return kept


def describe_objective(objective: str | dict[str, float]) -> str:
    """The name in sentences and tables.

    >>> describe_objective({"accuracy": 2.0, "energy": 1.0})
    'accuracy=2,energy=1'
    """
    return objective if isinstance(objective, str) else ",".join(f"{name}={w:g}" for name, w in objective.items())


def costs(table: pd.DataFrame, objective: str | dict[str, float], scale_by: np.ndarray | None = None) -> list[np.ndarray]:
    """Arrays to sort by, the objective first, ties after it; lower is better, NaN is unknown.

    For `balanced` and weights the first is a distance from 0 (best of all goals at once) to 1 (worst of all). The rows
    `scale_by` (mask; all if None) set its scale: those that run on the device, so that no limit changes the distances.
    """
    if objective == "balanced" or isinstance(objective, dict):
        first = distance(table, BALANCED if objective == "balanced" else objective, scale_by)
        return [first, -table["accuracy"].to_numpy(float)]
    return [(-1.0 if key == "accuracy" else 1.0) * table[key].to_numpy(float) for key in OBJECTIVES[objective]]


def distance(table: pd.DataFrame, weights: dict[str, float], scale_by: np.ndarray | None = None) -> np.ndarray:
    """sqrt(sum w x^2 / sum w), x each goal scaled to 0 (best) .. 1 (worst) of the rows `scale_by`.

    >>> table = pd.DataFrame({"accuracy": [0.9, 0.8], "energy_mj": [4.0, 2.0]})
    >>> distance(table, {"accuracy": 3, "energy": 1}).round(3).tolist()
    [0.5, 0.866]
    """
    goals = [GOALS[name] for name in weights]
    raw = np.array([sign * table[column].to_numpy(float) for column, sign, _, _ in goals])
    sample = raw if scale_by is None or not scale_by.any() else raw[:, scale_by]
    known = np.where(np.isnan(sample), np.inf, sample)
    low = known.min(axis=1, keepdims=True, initial=np.inf)
    high = np.where(np.isnan(sample), -np.inf, sample).max(axis=1, keepdims=True, initial=-np.inf)
    span = np.where(high > low, high - low, 1.0)
    shares = np.array(list(weights.values()))[:, None] / max(weights.values())  # no sum of large weights overflows
    with np.errstate(invalid="ignore"):
        return np.sqrt((shares / shares.sum() * ((raw - np.where(np.isfinite(low), low, 0.0)) / span) ** 2).sum(axis=0))


def order(keys: list[np.ndarray], names: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Positions of `rows` (mask), best first, those with an unknown objective left out; the name breaks what is tied."""
    positions = np.flatnonzero(rows & ~np.isnan(keys[0]))
    sorting = [names[positions].astype(str), *(key[positions] for key in reversed(keys))]
    return positions[np.lexsort(sorting)]


def gain(objective: str | dict[str, float]) -> tuple[float, str, str]:
    """How a difference of the objective is told: divisor, unit, and what it is a difference of."""
    if isinstance(objective, str) and objective in GOALS:
        _, _, divisor, unit = GOALS[objective]
        return divisor, unit, {"memory": "RAM"}.get(objective, objective)
    return 1.0, "distance", "distance"
