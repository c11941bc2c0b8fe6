"""What a configuration must keep to: the user's limits, the device's memory, and what its runtime executes."""

import math
from dataclasses import dataclass

import pandas as pd

from ..base.errors import UserError, nearest
from ..platforms.specs import ARITHMETIC, PlatformSpec


@dataclass(frozen=True)
class Limit:
    """One limit on one column; `at_least` for accuracy, at most otherwise. `scale` turns the column into `unit`."""

    name: str
    label: str
    column: str
    scale: float
    unit: str
    at_least: bool = False


# MB is 1e6 bytes; device limits are given in KiB of 1024.
CUSTOM = {
    "latency_ms": Limit("latency_ms", "latency", "latency_ms", 1.0, "ms"),
    "memory_mb": Limit("memory_mb", "RAM", "ram_bytes", 1e-6, "MB"),
    "size_mb": Limit("size_mb", "file size", "size_bytes", 1e-6, "MB"),
    "energy_mj": Limit("energy_mj", "energy", "energy_mj", 1.0, "mJ"),
    "accuracy": Limit("accuracy", "accuracy", "accuracy", 1.0, "", at_least=True),
}
_DEVICE = {
    "ram_kib": Limit("device RAM", "RAM", "ram_bytes", 1 / 1024, "KiB"),
    "flash_kib": Limit("device flash", "flash", "flash_bytes", 1 / 1024, "KiB"),
}
VIOLATION_COLUMNS = ["variant", "constraint", "value", "limit", "unit", "excess", "relative_excess", "sentence"]


def check_constraints(custom: dict[str, float] | None) -> dict[str, float]:
    """The custom constraints, checked: known names, finite numbers of 0 or more. UserError otherwise."""
    checked = dict(custom or {})
    for name, value in checked.items():
        if name not in CUSTOM:
            raise UserError(f"constraint {name!r} is unknown{nearest(name, CUSTOM)}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise UserError(f"constraint {name} = {value!r} is no limit: give a number of 0 or more.")
        if name == "accuracy" and value > 1:
            raise UserError(f"constraint accuracy = {value!r} is above 1: give a fraction, e.g. 0.9 for 90 %.")
    return checked


def pessimistic(row, column: str) -> float:
    """The value to hold against a limit: the high end of the interval where the table has one, else the value."""
    high, value = row.get(f"{column}_high"), row.get(column)
    return float(high) if high is not None and not pd.isna(high) else float("nan") if value is None else float(value)


def find_violations(table: pd.DataFrame, spec: PlatformSpec, custom: dict[str, float]) -> pd.DataFrame:
    """A row for each configuration and constraint that it breaks: `variant, constraint, value, limit, unit, excess,
    relative_excess, sentence`, with the row number of `table` as index. An unknown value breaks its limit (`excess` inf).
    """
    limits = [(CUSTOM[name], value) for name, value in custom.items()]
    limits += [(limit, spec.value(name)) for name, limit in _DEVICE.items() if name in spec.constants]
    rows, index = [], []
    for position, (_, row) in enumerate(table.iterrows()):
        found = [_compare(row, limit, value) for limit, value in limits]
        found.append(_runtime(row, spec))
        broken = [violation for violation in found if violation]
        rows += broken
        index += [position] * len(broken)
    return pd.DataFrame(rows, columns=VIOLATION_COLUMNS, index=index)


def _compare(row, limit: Limit, bound: float) -> dict | None:
    value = (float(row[limit.column]) if limit.at_least else pessimistic(row, limit.column)) * limit.scale
    start = {"variant": row["variant"], "constraint": limit.name, "value": value, "limit": bound, "unit": limit.unit}
    if math.isnan(value):
        sentence = f"{limit.label} is unknown, so the limit of {_show(bound, limit.unit)} cannot be promised"
        return start | {"excess": math.inf, "relative_excess": math.inf, "sentence": sentence}
    excess = bound - value if limit.at_least else value - bound
    if excess <= 0:
        return None
    relative = excess / bound if bound else math.inf
    share = f" ({100 * relative:.1f} %)" if bound else ""
    side = "below" if limit.at_least else "above"
    whose = "the" if limit.name in CUSTOM else "the device's"
    sentence = f"{limit.label} {_show(value, limit.unit)} is {_show(excess, limit.unit)}{share} {side} {whose} limit of "
    return start | {"excess": excess, "relative_excess": relative, "sentence": sentence + _show(bound, limit.unit)}


def _runtime(row, spec: PlatformSpec) -> dict | None:
    if spec.runs(row["precision"]):
        return None
    able = [name for name in ARITHMETIC if name != "int8" and spec.runs(name)]
    sentence = f"{spec.runtime} {spec.runtime_version} does not run {row['precision']} models (it runs {', '.join(able)})"
    nothing = {"value": math.nan, "limit": math.nan, "unit": "", "excess": math.inf, "relative_excess": math.inf}
    return {"variant": row["variant"], "constraint": "runtime", **nothing, "sentence": sentence}


def _show(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".strip()
