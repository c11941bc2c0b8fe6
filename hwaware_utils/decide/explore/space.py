"""The search space as tables: what the networks of the space need on a platform, and which of them are the same network."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from functools import lru_cache

import pandas as pd

from ...base.errors import UserError
from ...platforms.mobilenet import cut_mobilenet, v2_channels
from ...platforms.predict import predict_cut
from ...study.exploration_points import Point
from ...study.recipe import Recipe
from ...workload import summary

SHARES = ("expansion", "stream", "head")
NEEDS = ("latency_ms", "ram_kib", "flash_kib", "energy_mj")


def as_points(rows: Iterable) -> list[Point]:
    """Points from rows `[expansion, stream, head, resolution]` or `[..., taught]`, as a profile holds them.

    UserError names a row that is no point.
    """
    points = []
    for row in rows:
        if len(row) not in (4, 5) or not all(0 < share <= 1 for share in row[:3]) or row[3] < 32 or row[3] % 32:
            raise UserError(f"{list(row)} is no point: give [expansion, stream, head] in (0, 1] and a resolution (64, 96 ...).")
        points.append(Point(*(float(share) for share in row[:3]), int(row[3]), bool(row[4]) if len(row) == 5 else True))
    return points


def point_table(points: list[Point], start: Recipe, platform: str, precision: str = "int8", threads: int = 1) -> pd.DataFrame:
    """A row a point: its settings, macs, parameters, and on the platform latency_ms, ram_kib, flash_kib, energy_mj (with
    `_low`, `_high`), fits, why_not, evidence. `start` is the recipe of the network that the points are cut from."""
    rows = [asdict(point) | dict(_needs(_channels(point, start), point.resolution, start.classes, platform, precision, threads))
            for point in points]  # fmt: skip
    return pd.DataFrame(rows, columns=None if rows else [*(field.name for field in fields(Point)), *NEEDS])


def with_work(table: pd.DataFrame, start: Recipe) -> pd.DataFrame:
    """`table` (columns of a point) with macs and parameters: what the surrogate's features are made of."""
    work = [summary(cut_mobilenet(_channels(point, start), point.resolution, start.classes)[0]) for point in points_of(table)]
    return table.assign(macs=[row["macs"] for row in work], parameters=[row["parameters"] for row in work])


def points_of(table: pd.DataFrame) -> list[Point]:
    """The points of a table that has their columns."""
    return as_points(table[[field.name for field in fields(Point)]].itertuples(index=False, name=None))


def same_network(point: Point, start: Recipe) -> tuple:
    """What two points have in common when rounding makes them the same network."""
    return (_channels(point, start), point.resolution, point.taught)


def _channels(point: Point, start: Recipe):
    return v2_channels(start.alpha).cut(point.expansion, point.stream, point.head)


@lru_cache(maxsize=4096)
def _needs(channels, resolution: int, classes: int, platform: str, precision: str, threads: int) -> tuple:
    return tuple(predict_cut(platform, channels, resolution, classes, precision, threads).items())
