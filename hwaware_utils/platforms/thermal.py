"""How warm a device gets and what it can keep up: one lumped thermal resistance and heat capacity. Modelled, never measured.

C dT/dt = P - (T - ambient) / R has the closed solution T(t) = steady + (T0 - steady) exp(-t / RC), steady = ambient + R P.
(Incropera and DeWitt, Fundamentals of Heat and Mass Transfer, lumped capacitance method.) One node: the chip is taken to be
as warm as the whole that sheds its heat, so seconds-long bursts of a phone, which heat the chip alone, come out too cool.
"""

import math

import numpy as np
import pandas as pd

from ..base.errors import UserError
from .specs import PlatformSpec, load_platform

CONSTANTS = ("thermal_resistance_k_w", "heat_capacity_j_k", "throttle_c", "ambient_c")


def steady_c(power_w: float, resistance_k_w: float, ambient_c: float) -> float:
    """Temperature in degC at which as much heat leaves as enters.

    >>> steady_c(2.0, 10.0, 25.0)
    45.0
    """
    return ambient_c + resistance_k_w * power_w


def temperature_c(time_s, power_w: float, resistance_k_w: float, capacity_j_k: float, ambient_c: float, start_c=None):
    """Temperature in degC after `time_s` (number or array) of constant power, from `start_c` (ambient if None)."""
    steady = steady_c(power_w, resistance_k_w, ambient_c)
    start = ambient_c if start_c is None else start_c
    return steady + (start - steady) * np.exp(-np.asarray(time_s, float) / (resistance_k_w * capacity_j_k))


def time_to_throttle_s(
    power_w: float, resistance_k_w: float, capacity_j_k: float, ambient_c: float, throttle_c: float
) -> float:
    """Seconds from ambient to `throttle_c` at constant power: RC ln((steady - ambient) / (steady - throttle)).

    `inf` if the steady temperature stays at or below the limit, 0 if the surroundings are already as warm.

    >>> round(time_to_throttle_s(4.0, 10.0, 100.0, 25.0, 45.0), 1)  # steady 65 degC, RC 1000 s: 1000 ln 2
    693.1
    """
    if ambient_c >= throttle_c:
        return 0.0
    steady = steady_c(power_w, resistance_k_w, ambient_c)
    if steady <= throttle_c:
        return math.inf
    return resistance_k_w * capacity_j_k * math.log((steady - ambient_c) / (steady - throttle_c))


def sustained_share(power_w: float, resistance_k_w: float, ambient_c: float, throttle_c: float) -> float:
    """Part of the burst throughput that can be kept up for ever, 0 to 1: the power that holds the limit / `power_w`.

    Power and throughput are taken to fall together (duty cycling). A lower voltage would save more: a cautious figure.
    """
    most_w = max(throttle_c - ambient_c, 0.0) / resistance_k_w
    return min(1.0, most_w / power_w) if power_w > 0 else 1.0


def estimate_thermal(
    platform: str | PlatformSpec,
    power_w: float,
    seconds: float = 3600.0,
    points: int = 60,
    power_w_low: float | None = None,
    power_w_high: float | None = None,
) -> pd.DataFrame:
    """Temperature under uninterrupted inference: `points` rows, times spaced evenly in log from 1 s to `seconds`.

    `platform, time_s, power_w, temperature_c, temperature_c_low, temperature_c_high, limit_c, throttled, throughput_share,
    time_to_throttle_s, sustained_share, sustained_share_low, sustained_share_high, evidence`. At `limit_c` the device
    slows down to hold it: `throughput_share` is then `sustained_share`, else 1. The range takes every constant and the power
    at its cooler and its hotter end. UserError for a power or a time that is none, or a platform without the constants.
    """
    spec = load_platform(platform) if isinstance(platform, str) else platform
    powers = [power_w if p is None else p for p in (power_w, power_w_low, power_w_high)]
    if not all(math.isfinite(p) and p >= 0 for p in powers) or not powers[1] <= power_w <= powers[2]:
        raise UserError(f"power {powers} W is no power with its range: give low <= power <= high, none below 0.")
    if not (seconds > 1 and points >= 2):
        raise UserError(f"{seconds!r} s in {points!r} points is no course of time: give over 1 s and at least 2 points.")
    times = np.geomspace(1.0, seconds, points)
    middle, cool, hot = (_course(spec, times, p, end) for p, end in zip(powers, ("value", "low", "high"), strict=True))
    table = pd.DataFrame({"platform": spec.id, "time_s": times, "power_w": power_w, "temperature_c": middle["temperature_c"]})
    table["temperature_c_low"], table["temperature_c_high"] = cool["temperature_c"], hot["temperature_c"]
    table["limit_c"], table["throttled"] = middle["limit_c"], times >= middle["time_to_throttle_s"]
    table["throughput_share"] = np.where(table["throttled"], middle["sustained_share"], 1.0)
    table["time_to_throttle_s"], table["sustained_share"] = middle["time_to_throttle_s"], middle["sustained_share"]
    table["sustained_share_low"], table["sustained_share_high"] = hot["sustained_share"], cool["sustained_share"]
    return table.assign(evidence="modelled")


def _course(spec: PlatformSpec, times: np.ndarray, power_w: float, end: str) -> dict:
    """One course; `high` is the hot end: much resistance, little heat capacity, a warm room."""
    resistance, ambient = (getattr(spec.constants[name], end) for name in _known(spec, "thermal_resistance_k_w", "ambient_c"))
    capacity = getattr(spec.constants["heat_capacity_j_k"], {"low": "high", "high": "low"}.get(end, end))
    limit = spec.value("throttle_c")
    free = temperature_c(times, power_w, resistance, capacity, ambient)
    return {
        "temperature_c": np.minimum(free, max(limit, ambient)),
        "limit_c": limit,
        "time_to_throttle_s": time_to_throttle_s(power_w, resistance, capacity, ambient, limit),
        "sustained_share": sustained_share(power_w, resistance, ambient, limit),
    }


def _known(spec: PlatformSpec, *names: str) -> tuple[str, ...]:
    missing = [name for name in CONSTANTS if name not in spec.constants]
    if missing:
        raise UserError(f"{spec.id}.yaml has no {', '.join(missing)}: add the constants of its thermal model.")
    return names
