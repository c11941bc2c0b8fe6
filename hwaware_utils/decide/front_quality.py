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
    return float(hypervolumes(costs_of(points, maximise, minimise)[None], maximise, minimise, reference)[0])


def hypervolumes(costs: np.ndarray, maximise: list[str], minimise: list[str], reference: Reference) -> np.ndarray:
    """`hypervolume` of many sets at once: `costs` (sets x points x objectives, as `objectives.costs_of` turns them)."""
    names = [*maximise, *minimise]
    missing = [name for name in names if name not in reference.best or name not in reference.worst]
    if missing:
        raise UserError(f"the reference point has no {missing[0]!r}: make it with the same objectives.")
    signs = np.array([-1.0] * len(maximise) + [1.0] * len(minimise))
    best, worst = (np.array([box[name] for name in names]) * signs for box in (reference.best, reference.worst))
    if (best >= worst).any():
        raise UserError(f"the reference point is not worse than the best value: {reference.worst} against {reference.best}.")
    scaled = (costs - best) / (worst - best)
    return np.array([moocore.hypervolume(one, ref=1.0) if len(one) else 0.0 for one in scaled])


def knee_distances(points: pd.DataFrame, maximise: list[str], minimise: list[str]) -> np.ndarray:
    """How far each point of a front (rows, all non-dominated) bulges inwards from the chord between its two ends.

    Das, "On characterizing the 'knee' of the Pareto curve based on normal-boundary intersection", Structural Optimization
    18, 1999, https://doi.org/10.1007/BF01195985: both axes are scaled to the front's own range, 0 best and 1 worst, and the
    distance is (1 - x - y) / sqrt(2). Positive is a bend worth having, 0 an end, negative a bulge away from the best. With
    more than two objectives one axis is the mean of what is maximised and the other the mean of what is minimised, each
    scaled first: objectives that say the same, as latency and energy, would else make an end look like a knee.

    >>> corner = pd.DataFrame({"accuracy": [1.0, 0.9, 0.0], "latency_ms": [10.0, 1.0, 0.0]})
    >>> knee_distances(corner, ["accuracy"], ["latency_ms"]).round(3).tolist()
    [0.0, 0.566, 0.0]
    """
    costs = costs_of(points, maximise, minimise)
    if costs.shape[1] > 2 and not (maximise and minimise):
        raise UserError("a knee weighs what is maximised against what is minimised: name at least one column of each.")
    axes = _scaled(costs, costs) if len(costs) else costs
    if costs.shape[1] > 2:
        n = len(maximise)
        axes = np.column_stack([axes[:, :n].mean(axis=1), axes[:, n:].mean(axis=1)])
    if len(axes) < 2 or axes.shape[1] < 2:
        return np.zeros(len(axes))
    ends = axes[moocore.is_nondominated(axes, keep_weakly=True)]
    if (np.ptp(ends, axis=0) == 0).any():
        return np.zeros(len(axes))
    return (1 - _scaled(axes, ends).sum(axis=1)) / np.sqrt(2)


def _scaled(costs: np.ndarray, within: np.ndarray) -> np.ndarray:
    """0 at the least and 1 at the greatest value of each column of `within`; 0 for a column with one value."""
    low, span = within.min(axis=0), np.ptp(within, axis=0)
    return (costs - low) / np.where(span > 0, span, 1.0)


def knee(points: pd.DataFrame, maximise: list[str], minimise: list[str]) -> int | None:
    """Row number of the knee of a front: the largest of `knee_distances`, the first of equals. None if nothing bends inwards.

    A front of one point has that point as its knee (there is nothing to trade); two points, or points on a straight line,
    have none.
    """
    distances = knee_distances(points, maximise, minimise)
    if len(distances) <= 1:
        return 0 if len(distances) else None
    # Rounding leaves points on a straight line at 1e-16.
    return int(distances.argmax()) if distances.max() > 1e-9 else None
