"""Latency from cycles a unit, alone or blended: between two thread counts, or between two number formats."""

from dataclasses import dataclass

import numpy as np

from .intervals import predict_cycles
from .latency_fit import Calibration


@dataclass(frozen=True)
class LatencyModel:
    """cycles = sum of amount x cycles a unit x factor, times `slowdown`; or a share of the roofline if `assumed`."""

    basis: str
    calibration: Calibration | None = None
    factors: np.ndarray | None = None  # (features,) on the calibration's coefficients
    slowdown: float = 1.0
    spread: float = 1.0
    assumed: dict | None = None
    rows: int = 0

    def amounts(self, features: dict) -> np.ndarray:
        """Networks x features of the calibration, each already multiplied by its factor."""
        columns = [np.atleast_1d(np.asarray(features[name], dtype=float)) for name in self.calibration.features]
        return np.column_stack(columns) * self.factors

    def predict(self, features: dict, bound_ms, clock_mhz: float) -> tuple[np.ndarray, ...]:
        """ms (value, low, high), each an array over networks and never below `bound_ms`, and the unknown shares
        (networks x reasons, see `intervals.predict_cycles`; their names are `reasons`)."""
        bound = np.atleast_1d(np.asarray(bound_ms, dtype=float))
        if self.assumed:
            ms = [bound * self.slowdown / self.assumed[key] for key in ("median", "high", "low")]
            unknown = np.zeros((len(bound), 1))
        else:
            *cycles, unknown = predict_cycles(self.calibration, self.amounts(features), self.factors)
            ms = [x * self.slowdown / (clock_mhz * 1e3) for x in cycles]
        value = np.maximum(ms[0], bound)
        return value, np.maximum(ms[1] / self.spread, bound), np.maximum(ms[2] * self.spread, value), unknown

    def reasons(self) -> tuple[str, ...]:
        """The columns of the unknown shares: a feature each and `size`."""
        return (*self.calibration.features, "size") if self.calibration else ("",)

    def leaves(self) -> tuple["LatencyModel", ...]:
        return (self,)


@dataclass(frozen=True)
class Blend:
    """Two models in one. With a `weight` (of the first) their weighted mean: Amdahl's law through two thread counts is a
    straight line in 1 / threads. Without: the geometric mean and the outer ends of both intervals, for mixed precision."""

    parts: tuple["LatencyModel | Blend", "LatencyModel | Blend"]
    basis: str
    weight: float | None = None
    spread: float = 1.0

    def predict(self, features: dict, bound_ms, clock_mhz: float) -> tuple[np.ndarray, ...]:
        """As `LatencyModel.predict`; the unknown shares of both parts stand side by side."""
        (*a, a_unknown), (*b, b_unknown) = (part.predict(features, bound_ms, clock_mhz) for part in self.parts)
        if self.weight is None:
            value, low, high = np.sqrt(a[0] * b[0]), np.minimum(a[1], b[1]), np.maximum(a[2], b[2])
        else:
            value, low, high = (self.weight * x + (1 - self.weight) * y for x, y in zip(a, b, strict=True))
        return value, np.maximum(low / self.spread, bound_ms), high * self.spread, np.hstack([a_unknown, b_unknown])

    def leaves(self) -> tuple[LatencyModel, ...]:
        return self.parts[0].leaves() + self.parts[1].leaves()
