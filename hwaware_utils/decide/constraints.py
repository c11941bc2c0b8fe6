"""What a configuration must keep to: the user's limits, the device's memory, and what its runtime executes."""

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd

from ..base.errors import UserError, nearest
from ..platforms.specs import ARITHMETIC, PlatformSpec


@dataclass(frozen=True)
class Limit:
    """One limit on one column; `at_least` for accuracy, at most otherwise. Dividing the column gives the `unit`."""

    name: str
    label: str
    column: str
    divisor: float
    unit: str
    at_least: bool = False

    def values(self, table: pd.DataFrame) -> np.ndarray:
        """What is held against the limit: the pessimistic end of the interval where the table has one, else the value."""
        value, end = table[self.column], f"{self.column}_{'low' if self.at_least else 'high'}"
        worst = np.fmin if self.at_least else np.fmax
        numbers = value.to_numpy(float)
        # Divided, not multiplied: n bytes / 1e6 is the very number that the user's literal is
        return (worst(numbers, table[end].to_numpy(float)) if end in table else numbers) / self.divisor

    def show(self, value: float) -> str:
        return f"{_number(value)} {self.unit}".strip()


def _number(value: float) -> str:
    """Four significant digits, whole from 10,000 on.

    >>> _number(177.59954), _number(8388608.0)
    ('177.6', '8,388,608')
    """
    return f"{value:.4g}" if -1e4 < value < 1e4 else f"{value:,.0f}"


def _share(percent: float) -> str:
    """In brackets behind a number; nothing for NaN, the share of a limit of 0."""
    return "" if percent != percent else f" ({percent:.1f} %)" if percent < 1000 else f" ({percent:,.0f} %)"


# MB is 1e6 bytes; device limits are given in KiB of 1024.
CUSTOM = {
    "latency_ms": Limit("latency_ms", "latency", "latency_ms", 1, "ms"),
    "memory_mb": Limit("memory_mb", "RAM", "ram_bytes", 1e6, "MB"),
    "size_mb": Limit("size_mb", "file size", "size_bytes", 1e6, "MB"),
    "energy_mj": Limit("energy_mj", "energy", "energy_mj", 1, "mJ"),
    "accuracy": Limit("accuracy", "accuracy", "accuracy", 1, "", at_least=True),
}
DEVICE = {
    "ram_kib": Limit("device RAM", "RAM", "ram_bytes", 1024, "KiB"),
    "flash_kib": Limit("device flash", "flash", "flash_bytes", 1024, "KiB"),
}
VIOLATION_COLUMNS = ["variant", "constraint", "value", "limit", "unit", "excess", "relative_excess", "sentence"]


def check_constraints(custom: dict[str, float] | None) -> dict[str, float]:
    """The custom constraints, checked: known names, finite numbers of 0 or more. UserError otherwise."""
    if not isinstance(custom, dict | None):
        raise UserError(f"constraints {custom!r} are no dictionary: give e.g. {{'latency_ms': 200, 'memory_mb': 0.6}}.")
    checked = dict(custom or {})
    for name, value in checked.items():
        if name not in CUSTOM:
            raise UserError(f"constraint {name!r} is unknown{nearest(name, CUSTOM)}")
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise UserError(f"constraint {name} = {value!r} is no limit: give a number of 0 or more.")
        if name == "accuracy" and value > 1:
            raise UserError(f"constraint accuracy = {value!r} is above 1: give a fraction, e.g. 0.9 for 90 %.")
    return checked


@dataclass(frozen=True)
class Assessment:
    """Every configuration held against every limit. Rows of the arrays are `limits`, columns are configurations."""

    variants: np.ndarray
    precisions: np.ndarray
    limits: list[Limit]
    bounds: np.ndarray
    held: np.ndarray
    runs: np.ndarray
    spec: PlatformSpec

    @cached_property
    def excess(self) -> np.ndarray:
        """By how much a limit is broken, in its unit; negative is slack. An unknown value breaks its limit by inf."""
        signs = np.array([-1.0 if limit.at_least else 1.0 for limit in self.limits]).reshape(-1, 1)
        return np.where(np.isnan(self.held), np.inf, signs * (self.held - self.bounds[:, None]))

    @cached_property
    def broken(self) -> np.ndarray:
        """A row a limit and, last, one for what the runtime does not execute."""
        return np.vstack([self.excess > 0, ~self.runs])

    @cached_property
    def relative_excess(self) -> np.ndarray:
        """`excess` as a share of the limit where it is broken, 0 elsewhere; inf for a limit of 0 and for the runtime."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shares = np.vstack([self.excess / self.bounds[:, None], np.full(self.runs.size, np.inf)])
        return np.where(self.broken, shares, 0.0)

    @property
    def keeps_all(self) -> np.ndarray:
        return ~self.broken.any(axis=0)

    def violations(self, positions: np.ndarray | None = None) -> pd.DataFrame:
        """A row for each configuration and constraint that it breaks, `VIOLATION_COLUMNS`; its position as index."""
        rows, kinds = np.nonzero(self.broken.T if positions is None else self.broken.T[positions])
        rows = rows if positions is None else np.asarray(positions)[rows]
        # One row more than `limits`, for the runtime: it has no number
        nothing = np.full((1, self.runs.size), np.nan)
        table = {
            "variant": self.variants[rows],
            "constraint": np.array([*(limit.name for limit in self.limits), "runtime"], dtype=object)[kinds],
            "value": np.vstack([self.held, nothing])[kinds, rows],
            "limit": np.append(self.bounds, np.nan)[kinds],
            "unit": np.array([*(limit.unit for limit in self.limits), ""], dtype=object)[kinds],
            "excess": np.vstack([self.excess, nothing + np.inf])[kinds, rows],
            "relative_excess": self.relative_excess[kinds, rows],
            "sentence": np.empty(len(rows), dtype=object),
        }
        for kind in np.unique(kinds):
            table["sentence"][kinds == kind] = self._sentences(int(kind), rows[kinds == kind])
        table["excess"][kinds == len(self.limits)] = np.inf
        return pd.DataFrame(table, columns=VIOLATION_COLUMNS, index=rows)

    def _sentences(self, kind: int, rows: np.ndarray) -> list[str]:
        """Why each of `rows` breaks one limit. Plain floats: formatting NumPy's takes three times as long."""
        if kind == len(self.limits):
            spec, able = self.spec, [name for name in ARITHMETIC if name != "int8" and self.spec.runs(name)]
            start, end = f"{spec.runtime} {spec.runtime_version} does not run", f"models (it runs {', '.join(able)})"
            return [f"{start} {precision} {end}" for precision in self.precisions[rows]]
        limit, bound = self.limits[kind], float(self.bounds[kind])
        unit, unknown = f" {limit.unit}" if limit.unit else "", f"{limit.label} is unknown, so the limit of {limit.show(bound)}"
        side, whose = "below" if limit.at_least else "above", "the" if limit.name in CUSTOM else "the device's"
        end = f"{side} {whose} limit of {limit.show(bound)}"
        shares = 100 * self.relative_excess[kind, rows] if bound else np.full(len(rows), np.nan)
        return [
            f"{unknown} cannot be promised"
            if value != value
            else f"{limit.label} {_number(value)}{unit} is {_number(over)}{unit}{_share(share)} {end}"
            for value, over, share in zip(
                self.held[kind, rows].tolist(), self.excess[kind, rows].tolist(), shares.tolist(), strict=True
            )
        ]


def assess(table: pd.DataFrame, spec: PlatformSpec, custom: dict[str, float]) -> Assessment:
    """Hold the configurations of one platform against the user's limits, then the device's own."""
    pairs = [(CUSTOM[name], float(bound)) for name, bound in custom.items()]
    pairs += [(limit, spec.value(name)) for name, limit in DEVICE.items() if name in spec.constants]
    limits = [limit for limit, _ in pairs]
    precisions = table["precision"].to_numpy(object)
    able = {precision: spec.runs(precision) for precision in set(precisions)}
    return Assessment(
        table["variant"].to_numpy(object),
        precisions,
        limits,
        np.array([bound for _, bound in pairs]),
        np.array([limit.values(table) for limit in limits]).reshape(len(limits), len(table)),
        np.array([able[precision] for precision in precisions], dtype=bool),
        spec,
    )


def find_violations(table: pd.DataFrame, spec: PlatformSpec, custom: dict[str, float]) -> pd.DataFrame:
    """A row for each configuration and constraint that it breaks: `variant, constraint, value, limit, unit, excess,
    relative_excess, sentence`, with the row number of `table` as index. An unknown value breaks its limit (`excess` inf).
    """
    return assess(table, spec, custom).violations()
