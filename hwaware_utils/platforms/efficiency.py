"""Which part of its roofline a runtime reaches: measured by others on the same board, or borrowed with a wider range."""

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from ..base.errors import UserError
from .mobilenet import mobilenet_workload
from .published import select_published
from .roofline import bound_ms
from .specs import ARITHMETIC, PlatformSpec, load_platform


@dataclass(frozen=True)
class Efficiency:
    """Roofline bound / real time, 0 to 1; `basis` says in one sentence where it comes from."""

    median: float
    low: float
    high: float
    rows: int
    basis: str


def published_efficiencies(platform: str) -> pd.DataFrame:
    """Every published row that speaks for a platform, with `bound_ms`, `efficiency` (bound / published time), `borrowed`
    and `reason`. The bound is taken at the clock of the measured board. UserError for an unknown platform."""
    spec = load_platform(platform)
    tables = [_entry_rows(spec, i) for i, entry in enumerate(spec.efficiency) if "rows" in entry]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _entry_rows(spec: PlatformSpec, position: int) -> pd.DataFrame:
    entry = spec.efficiency[position]
    rows = select_published(entry["rows"])
    if rows.empty:
        raise UserError(f"{spec.id}.yaml: no published row matches {entry['rows']}: correct the selection.")
    bounds = [_published_bound_ms(spec, entry, row) for row in rows.itertuples()]
    return rows.assign(
        platform=spec.id,
        precision=entry["precision"],
        threads=entry["threads"],
        bound_ms=bounds,
        efficiency=bounds / rows["latency_ms"],
        borrowed="reason" in entry,
        reason=entry.get("reason", ""),
    )


def _published_bound_ms(spec: PlatformSpec, entry: dict, row) -> float:
    measured = "int8" if "int8" in row.precision else "fp32"
    workload = mobilenet_workload(row.family, row.alpha, row.resolution, row.classes, measured, row.channels)
    # A neighbour's board may have another number of cores or another clock; its pipes are those of this core.
    return bound_ms(workload, spec.with_clock(row.freq_mhz), measured, entry["threads"])


def find_efficiency(platform: str, precision: str, threads: int = 1) -> Efficiency:
    """Efficiency for a precision and thread count: the published median with its range, widened when borrowed.

    With a thread count that nobody measured, the nearest one stands in, its range widened by `thread_spread`.
    Raises UserError when the runtime does not execute this precision.
    """
    return _find(load_platform(platform), ARITHMETIC.get(precision, precision), threads)


def _find(spec: PlatformSpec, arithmetic: str, threads: int) -> Efficiency:
    if arithmetic == "mixed":  # between its two arithmetics, at worst and at best
        parts = [_find(spec, name, threads) for name in ("int8", "fp32")]
        low, high = min(p.low for p in parts), max(p.high for p in parts)
        median = (parts[0].median * parts[1].median) ** 0.5
        return Efficiency(median, low, high, 0, f"between int8 ({parts[0].basis}) and fp32 ({parts[1].basis})")
    options = [i for i, entry in enumerate(spec.efficiency) if entry["precision"] == arithmetic]
    if not options:
        able = ", ".join(spec.arithmetics())
        raise UserError(f"{spec.runtime} on {spec.id} does not run {arithmetic} models: it runs {able}.")
    position = min(options, key=lambda i: abs(spec.efficiency[i]["threads"] - threads))
    found, measured = _of_entry(spec.id, position), spec.efficiency[position]["threads"]
    if measured == threads:
        return found
    spread = spec.value("thread_spread")
    basis = f"{found.basis}; {measured} instead of {threads} threads"
    return Efficiency(found.median, found.low / spread, min(found.high * spread, 1.0), found.rows, basis)


@lru_cache(maxsize=64)
def _of_entry(platform: str, position: int) -> Efficiency:
    spec = load_platform(platform)
    entry = spec.efficiency[position]
    if "assumed" in entry:
        values = entry["assumed"]
        return Efficiency(values["median"], values["low"], values["high"], 0, f"assumed: {entry['reason']}")
    rows = _entry_rows(spec, position)
    slowdown, spread = entry.get("slowdown", 1.0), entry.get("spread", 1.0)
    values = rows["efficiency"] / slowdown
    basis = f"{len(rows)} published rows of {entry['rows']['device']}, {entry['rows']['runtime']}"
    basis += f" (borrowed: {entry['reason']})" if "reason" in entry else ""
    low, high = values.min() / spread, min(values.max() * spread, 1.0)
    return Efficiency(float(values.median()), float(low), float(high), len(rows), basis)
