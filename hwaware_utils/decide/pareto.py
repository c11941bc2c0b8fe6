"""Which variants nobody beats: the non-dominated ones, and for each other one a variant that beats it.

a dominates b when it is at least as good in every objective and better in one. Duplicates do not dominate each other.
A row with a missing objective is compared with nothing: it gets `on_front = False`, `front = NaN`, `comparable = False`.
"""

import moocore
import numpy as np
import pandas as pd

from ..base.errors import UserError


def fronts(
    points: pd.DataFrame, maximise: list[str], minimise: list[str], name: str = "variant", group: list[str] | None = None
) -> pd.DataFrame:
    """`points` with the columns `on_front`, `front` (0 = non-dominated, 1 = next layer), `dominated_by`, `comparable`.

    `dominated_by` names (column `name`) the first variant of the front that dominates the row, '' if none does. With
    `group` (e.g. `['platform']`) each group is sorted by itself. UserError names a missing or non-numeric objective.
    """
    objectives = [*maximise, *minimise]
    if not objectives:
        raise UserError("no objective: name at least one column to maximise or minimise.")
    for column in (*objectives, name, *(group or [])):
        if column not in points:
            raise UserError(f"objective {column!r} is no column of the table: it has {', '.join(map(str, points.columns))}.")
    for column in objectives:
        if not pd.api.types.is_numeric_dtype(points[column]):
            raise UserError(f"objective {column!r} is not numeric: give a column of numbers.")
    result = points.assign(on_front=False, front=np.nan, dominated_by="", comparable=False)
    keys = points.groupby(group, dropna=False, sort=False).indices.values() if group else [np.arange(len(points))]
    for positions in keys:
        _sort(result, points, np.asarray(positions), maximise, minimise, name)
    return result


def _sort(result, points, positions, maximise, minimise, name) -> None:
    """Fill the four columns of one group in place. `positions` are row numbers, so that any index will do."""
    # Everything is minimised: one sign convention for moocore and for the search of a dominating point.
    signs = np.array([-1.0] * len(maximise) + [1.0] * len(minimise))
    costs = points[[*maximise, *minimise]].to_numpy(dtype=float)[positions] * signs
    whole = ~np.isnan(costs).any(axis=1)
    if not whole.any():
        return
    positions, costs = positions[whole], costs[whole]
    ranks = _ranks(costs)
    best = np.flatnonzero(ranks == 0)
    names = points[name].to_numpy()[positions]
    dominators = [_dominator(costs, best, k) for k in range(len(positions))]
    columns = {column: result.columns.get_loc(column) for column in ("on_front", "front", "dominated_by", "comparable")}
    result.iloc[positions, columns["on_front"]] = ranks == 0
    result.iloc[positions, columns["front"]] = ranks.astype(float)
    result.iloc[positions, columns["dominated_by"]] = ["" if d is None else str(names[d]) for d in dominators]
    result.iloc[positions, columns["comparable"]] = True


def _ranks(costs: np.ndarray) -> np.ndarray:
    if costs.shape[1] == 1:  # moocore wants two objectives; with one, a front is a distinct value
        return np.unique(costs[:, 0], return_inverse=True)[1].reshape(-1)
    return np.asarray(moocore.pareto_rank(np.ascontiguousarray(costs)))


def _dominator(costs: np.ndarray, front: np.ndarray, k: int) -> int | None:
    better = (costs[front] <= costs[k]).all(axis=1) & (costs[front] < costs[k]).any(axis=1)
    found = np.flatnonzero(better)
    return int(front[found[0]]) if len(found) else None
