"""Which variants nobody beats: the non-dominated ones, and for each other one a variant that beats it.

a dominates b when it is at least as good in every objective and better in one. Duplicates do not dominate each other.
A row with a missing objective is compared with nothing: it gets `on_front = False`, `front = NaN`, `comparable = False`.
"""

import moocore
import numpy as np
import pandas as pd

from .objectives import costs_of, need_columns


def non_dominated(points: pd.DataFrame, maximise: list[str], minimise: list[str]) -> np.ndarray:
    """Mask of the rows on the front, and nothing else: for large tables (10,000 rows x 4 objectives take milliseconds).

    A row with a missing objective is not on it. UserError names a missing or non-numeric objective.
    """
    costs = costs_of(points, maximise, minimise, whole=False)
    whole = ~np.isnan(costs).any(axis=1)
    if whole.all():
        return _mask(costs)
    whole[whole] = _mask(costs[whole])
    return whole


def fronts(
    points: pd.DataFrame, maximise: list[str], minimise: list[str], name: str = "variant", group: list[str] | None = None
) -> pd.DataFrame:
    """`points` with the columns `on_front`, `front` (0 = non-dominated, 1 = next layer), `dominated_by`, `comparable`.

    `dominated_by` names (column `name`) that member of the front which dominates the row and is best over all objectives
    (smallest sum of costs, each scaled to its range), '' if none dominates it. With `group` (e.g. `['platform']`) each
    group is sorted by itself. UserError names a missing or non-numeric objective.
    """
    costs = costs_of(points, maximise, minimise, whole=False)
    need_columns(points, [name, *(group or [])])
    whole = ~np.isnan(costs).any(axis=1)
    layer, beaten_by = np.full(len(points), np.nan), np.full(len(points), -1)
    groups = points.groupby(group, dropna=False, sort=False).indices.values() if group else [np.arange(len(points))]
    for rows in (positions[whole[positions]] for positions in map(np.asarray, groups)):
        if len(rows):
            layer[rows] = ranks = _ranks(costs[rows])
            found = _dominators(costs[rows], ranks)
            beaten_by[rows] = np.where(found >= 0, rows[found], -1)
    names = points[name].astype(str).to_numpy(dtype=object)
    dominators = np.where(beaten_by >= 0, names[beaten_by], "") if len(points) else names
    return points.assign(on_front=layer == 0, front=layer, dominated_by=dominators, comparable=whole)


def _mask(costs: np.ndarray) -> np.ndarray:
    if not len(costs):
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(np.ascontiguousarray(costs), keep_weakly=True))


def _ranks(costs: np.ndarray) -> np.ndarray:
    if costs.shape[1] == 1:  # moocore wants two objectives; with one, a front is a distinct value
        return np.unique(costs[:, 0], return_inverse=True)[1].reshape(-1)
    return np.asarray(moocore.pareto_rank(np.ascontiguousarray(costs)))


def _dominators(costs: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """For each row the member of the front that dominates it, -1 if none does.

    The best all-rounder dominates most: asked first, it leaves few rows for the next one. That is what makes it fast.
    """
    low, span = costs.min(axis=0), np.ptp(costs, axis=0)
    front, left = np.flatnonzero(ranks == 0), np.flatnonzero(ranks > 0)
    scaled = (costs[front] - low) / np.where(span > 0, span, 1.0)
    found, columns = np.full(len(costs), -1), np.ascontiguousarray(costs[left].T)
    for k in front[np.argsort(scaled.sum(axis=1), kind="stable")]:
        if not len(left):
            break
        # A row of a later layer cannot equal a member of the front: no worse in everything is enough.
        beaten = columns[0] >= costs[k, 0]
        for column, cost in zip(columns[1:], costs[k, 1:], strict=True):
            beaten &= column >= cost
        found[left[beaten]] = k
        left, columns = left[~beaten], columns[:, ~beaten]
    return found
