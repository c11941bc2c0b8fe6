"""Where a claim's check gets its numbers: a place written as text, looked up in our tables or computed from theirs.

`variants[variant=baseline-fp32].accuracy` is a cell of results/reference/variants.csv (`.accuracy.min` the least of several,
`.count` the number of rows); `published[device=..., alpha=1.0].latency_ms` the same in the published measurements;
`platforms[apple_m1].clock_mhz` a platform's constant; `mobilenet[0.75, 160].macs` (or `.parameters`) a MobileNetV2 of that
width and input size; `table7.rows`, `table7.correlation(x, y)` and `table7.front(best, least, ...)` the other report's table.
"""

import re

import pandas as pd

from ..base.errors import UserError
from ..base.results import REFERENCE, read_table
from ..platforms.mobilenet import mobilenet_parameters, mobilenet_workload
from ..platforms.published import load_published
from ..platforms.specs import load_platform
from .pareto import fronts

_PLACE = re.compile(r"(?P<table>\w+)(?:\[(?P<where>[^\]]*)\])?\.(?P<column>\w+)(?:\.(?P<end>min|max)|\((?P<columns>[^)]*)\))?")


def look_up(place: str, tables: dict[str, pd.DataFrame]) -> float:
    """The number at `place`. UserError when there is none, or more than one where no `min` or `max` chooses."""
    match = _PLACE.fullmatch(place)
    if match is None:
        raise UserError(f"{place!r} names no place: write table[key=value].column.")
    table, where, column = match["table"], match["where"] or "", match["column"]
    if table in tables:
        return _own(tables[table], column, (match["columns"] or "").replace(" ", "").split(","), place)
    if table == "platforms":
        return load_platform(where).value(column)
    if table == "mobilenet":
        width, resolution = where.split(",")
        return _mobilenet(float(width), int(resolution), column)
    rows = _rows(_table(table, place), where, place)
    if column == "count":
        return float(len(rows))
    if column not in rows or rows.empty:
        raise UserError(f"{place!r} finds nothing.")
    try:
        values = rows[column].astype(float).dropna()
    except ValueError as error:
        raise UserError(f"{place!r} holds text ({str(error)[:60]}): a number was expected.") from error
    if match["end"]:
        return float(values.agg(match["end"]))
    if values.empty or values.max() - values.min() > 1e-9 * abs(values.max()):
        raise UserError(f"{place!r} finds {len(values)} different numbers: name one row.")
    return float(values.iloc[0])


def _table(name: str, place: str) -> pd.DataFrame:
    if name == "published":
        return load_published()
    path = REFERENCE / f"{name}.csv"
    if not path.is_file():
        raise UserError(f"{place!r}: results/reference has no {name}.csv.")
    return read_table(path)


def _rows(frame: pd.DataFrame, where: str, place: str) -> pd.DataFrame:
    for condition in filter(None, (part.strip() for part in where.split(","))):
        column, _, value = condition.partition("=")
        if column not in frame:
            raise UserError(f"{place!r}: the table has no column {column!r}.")
        frame = frame[frame[column].astype(str) == value]
    return frame


def _own(frame: pd.DataFrame, what: str, columns: list[str], place: str) -> float:
    if what == "rows":
        return float(len(frame))
    if what == "correlation":
        return float(frame[columns[0]].corr(frame[columns[1]]))
    if what == "front":
        return float(fronts(frame, columns[:1], columns[1:], name="model")["on_front"].sum())
    raise UserError(f"{place!r}: a table has rows, correlation(x, y) and front(best, least, ...).")


def _mobilenet(width: float, resolution: int, what: str) -> float:
    if what == "parameters":
        return float(mobilenet_parameters("mobilenet_v2", width, 10)["total"])
    return float(mobilenet_workload("mobilenet_v2", width, resolution, 10)["macs"].sum())
