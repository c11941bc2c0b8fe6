"""How good a front is as a whole (hypervolume), and where it bends most (knee point).

Objectives of different units are compared only after each is scaled to its own range; both functions say to which.
"""

from dataclasses import dataclass

import moocore
import numpy as np
import pandas as pd

from ..base.errors import UserError
from .objectives import costs_of

# The reference point lies this share of the range beyond the worst value, or the outermost points of a front would count
# nothing: Ishibuchi et al., "How to specify a reference point in hypervolume calculation for fair performance comparison",
# Evolutionary Computation 26(3) 2018, https://doi.org/10.1162/evco_a_00226.
MARGIN = 0.1


@dataclass(frozen=True)
class Reference:
    """The box in which a hypervolume is counted: from `best` to the reference point `worst`, by objective, in its unit."""

    best: dict[str, float]
    worst: dict[str, float]


def reference_point(points: pd.DataFrame, maximise: list[str], minimise: list[str], margin: float = MARGIN) -> Reference:
    """The box around `points`: best value of each objective, and the worst moved out by `margin` of the range.

    Two fronts are comparable only in one and the same box: take it from the set that both are held against (here: all
    hand-made configurations that run on one platform, dominated ones too) and hand it to `hypervolume`. An objective
    with one value only gets `margin` of that value as its range (of 1 if it is 0). UserError for an empty table.

    >>> table = pd.DataFrame({"accuracy": [0.9, 0.8], "latency_ms": [20.0, 10.0]})
    >>> {name: round(value, 3) for name, value in reference_point(table, ["accuracy"], ["latency_ms"]).worst.items()}
    {'accuracy': 0.79, 'latency_ms': 21.0}
    """
    costs = costs_of(points, maximise, minimise)
    if not len(costs):
        raise UserError("no point to take a reference point from: the table is empty.")
    low, high = costs.min(axis=0), costs.max(axis=0)
    span = np.where(high > low, high - low, np.where(high == 0, 1.0, np.abs(high)))
    signs = np.array([-1.0] * len(maximise) + [1.0] * len(minimise))
    names = [*maximise, *minimise]
    best, worst = low * signs, (high + margin * span) * signs
    return Reference(*(dict(zip(names, values.tolist(), strict=True)) for values in (best, worst)))


def hypervolume(points: pd.DataFrame, maximise: list[str], minimise: list[str], reference: Reference) -> float:
    """Share of the box of `reference` that at least one point dominates: 0 for none, above 1 if points leave it at its best.

    Zitzler and Thiele's measure (1998, https://doi.org/10.1007/BFb0056872), computed exactly by moocore, in units of the
    box, so that no unit outweighs another. What lies beyond the reference point counts nothing. UserError for a
    reference without one of the objectives.

    >>> stairs = pd.DataFrame({"accuracy": [0.0, 0.5], "latency_ms": [0.0, 0.5]})
    >>> hypervolume(stairs, ["accuracy"], ["latency_ms"], Reference({"accuracy": 1, "latency_ms": 0},
    ...                                                             {"accuracy": 0, "latency_ms": 1}))
    0.25
    """
    costs, names = costs_of(points, maximise, minimise), [*maximise, *minimise]
    missing = [name for name in names if name not in reference.best or name not in reference.worst]
    if missing:
        raise UserError(f"the reference point has no {missing[0]!r}: make it with the same objectives.")
    signs = np.array([-1.0] * len(maximise) + [1.0] * len(minimise))
    best, worst = (np.array([box[name] for name in names]) * signs for box in (reference.best, reference.worst))
    if (best >= worst).any():
        raise UserError(f"the reference point is not worse than the best value: {reference.worst} against {reference.best}.")
    return float(moocore.hypervolume((costs - best) / (worst - best), ref=1.0)) if len(costs) else 0.0


def knee_distances(points: pd.DataFrame, maximise: list[str], minimise: list[str]) -> np.ndarray:
    """How far each point of a front (rows, all non-dominated) lies inside the plane through its extremes.

    Each objective is scaled to the front's own range, 0 best and 1 worst. With two objectives the plane is the chord
    between the two end points, as in Das, "On characterizing the 'knee' of the Pareto curve based on normal-boundary
    intersection", Structural Optimization 18, 1999, https://doi.org/10.1007/BF01195985. With k it is the plane
    sum = k - 1 of a front whose extremes are best in one objective and worst in all others. Positive is a bend worth
    having, 0 an end point or no bend, negative a front that bulges away. Objectives with one value do not count.

    >>> corner = pd.DataFrame({"accuracy": [1.0, 0.9, 0.0], "latency_ms": [10.0, 1.0, 0.0]})
    >>> knee_distances(corner, ["accuracy"], ["latency_ms"]).round(3).tolist()
    [0.0, 0.566, 0.0]
    """
    costs = costs_of(points, maximise, minimise)
    if not len(costs):
        return np.zeros(0)
    low, span = costs.min(axis=0), np.ptp(costs, axis=0)
    moving = span > 0
    if moving.sum() < 2:
        return np.zeros(len(costs))
    scaled = (costs[:, moving] - low[moving]) / span[moving]
    k = scaled.shape[1]
    return (k - 1 - scaled.sum(axis=1)) / np.sqrt(k)


def knee(points: pd.DataFrame, maximise: list[str], minimise: list[str]) -> int | None:
    """Row number of the knee of a front: the largest `knee_distances`, the first of equals. None if nothing bends.

    A front of one point has that point as its knee (there is nothing to trade); with two objectives and two points, or
    with points on a straight line, there is no knee.
    """
    distances = knee_distances(points, maximise, minimise)
    if len(distances) <= 1:
        return 0 if len(distances) else None
    # Rounding leaves points on a straight line at 1e-16.
    return int(distances.argmax()) if distances.max() > 1e-9 else None
