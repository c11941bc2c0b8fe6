"""A table and the names of its objectives -> costs: every objective turned so that less is better."""

import numpy as np
import pandas as pd

from ..base.errors import UserError


def costs_of(points: pd.DataFrame, maximise: list[str], minimise: list[str], whole: bool = True) -> np.ndarray:
    """Costs (rows x objectives, float): what is maximised with its sign changed, then what is minimised.

    UserError names a missing or non-numeric objective and, unless `whole` is False, the first row without a finite value.

    >>> costs_of(pd.DataFrame({"accuracy": [0.9, 0.8], "latency_ms": [2, 1]}), ["accuracy"], ["latency_ms"]).tolist()
    [[-0.9, 2.0], [-0.8, 1.0]]
    """
    objectives = [*maximise, *minimise]
    if not objectives:
        raise UserError("no objective: name at least one column to maximise or minimise.")
    need_columns(points, objectives)
    for column in objectives:
        if not pd.api.types.is_numeric_dtype(points[column]):
            raise UserError(f"objective {column!r} is not numeric: give a column of numbers.")
    costs = points[objectives].to_numpy(dtype=float) * np.array([-1.0] * len(maximise) + [1.0] * len(minimise))
    if whole and not (finite := np.isfinite(costs)).all():
        row, column = np.argwhere(~finite)[0]
        shown = f" ({points['variant'].iloc[row]})" if "variant" in points else ""
        raise UserError(
            f"objective {objectives[column]!r} is {points[objectives[column]].iloc[row]} in row {row}{shown}: drop the row or "
            "give it a finite number."
        )
    return costs


def need_columns(points: pd.DataFrame, columns: list[str]) -> None:
    """UserError that names the first column that the table lacks, and those that it has."""
    for column in columns:
        if column not in points:
            raise UserError(f"objective {column!r} is no column of the table: it has {', '.join(map(str, points.columns))}.")
