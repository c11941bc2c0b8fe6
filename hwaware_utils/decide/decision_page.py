"""What the page 'Decide for yourself' needs to recommend in the reader's browser by the very rule of `methodology`.

A user's limit never changes the order of an objective (`ranking.costs`), so the order is computed here, once for each
objective; the page only drops what breaks a limit and takes the first that is left.
"""

import math

import numpy as np
import pandas as pd

from ..platforms.specs import load_platform
from .constraints import CUSTOM, assess
from .methodology import HardwareAwareDesignMethodology
from .ranking import OBJECTIVES
from .sensitivity import staircase

# The limits of the page: constraint -> name of its columns there
LIMITS = {"latency_ms": "latency_ms", "memory_mb": "ram_mb", "energy_mj": "energy_mj", "accuracy": "accuracy"}
MANTISSAS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def decision_rows(methodology: HardwareAwareDesignMethodology, platforms: list[str]) -> pd.DataFrame:
    """A row for each configuration of `platforms`, with all that a decision reads.

    variant, precision, platform, position (row number, breaks ties of the nearest miss); for accuracy, latency_ms, ram_mb
    and energy_mj the value, `_low`, `_held` (what is held against a limit) and `_evidence`; `rank_<objective>` from 0, NaN
    for what its device cannot take; device_broken (how many of the device's own limits it breaks), device_worst (the
    largest relative excess, NaN if infinite), device_why (short, a line each), evidence.
    """
    return pd.concat([_rows_of(methodology, name) for name in platforms], ignore_index=True)


def _rows_of(methodology: HardwareAwareDesignMethodology, platform: str) -> pd.DataFrame:
    answers = {goal: methodology.recommend_configuration(platform, goal) for goal in OBJECTIVES}
    table = next(iter(answers.values())).candidates
    rows = table[["variant", "precision", "platform", "evidence"]].assign(position=np.arange(len(table)))
    for constraint, name in LIMITS.items():
        limit = CUSTOM[constraint]
        rows[name] = table[limit.column] / limit.divisor
        low = f"{limit.column}_low"
        rows[f"{name}_low"] = table[low].fillna(table[limit.column]) / limit.divisor if low in table else rows[name]
        rows[f"{name}_held"] = limit.values(table)
        known = f"{limit.column}_evidence"
        rows[f"{name}_evidence"] = table[known].fillna(table["evidence"]) if known in table else table["evidence"]
    for goal, answer in answers.items():
        rows[f"rank_{goal}"] = pd.Series(np.arange(answer.ranked.size), index=answer.ranked).reindex(rows.index)
    own = assess(table, load_platform(platform), {})
    worst, violations = own.relative_excess.max(axis=0), own.violations()
    why = [_short(row) for row in violations.join(table["precision"]).to_dict("records")]
    told = pd.Series(why, index=violations.index, dtype=object).groupby(level=0).agg("\n".join)
    return rows.assign(
        device_broken=own.broken.sum(axis=0),
        device_worst=np.where(np.isinf(worst), np.nan, worst),
        device_why=told.reindex(rows.index).fillna(""),
    )


def _short(violation: dict) -> str:
    if violation["constraint"] == "runtime":
        return f"the runtime does not run {violation['precision']}"
    value, bound = (f"{violation[name]:,.4g} {violation['unit']}" for name in ("value", "limit"))
    return f"{violation['constraint']}: {'unknown' if math.isnan(violation['value']) else value}, limit {bound}"


def limit_steps(values: np.ndarray, also: float | None = None) -> list[float]:
    """Round numbers for a slider, from the last that is below all finite `values` to the first above them; and `also`.

    Each is the number that a user would type, so that the page and the recommender compare with the same bits.

    >>> limit_steps(np.array([0.9, 4.5, np.nan]), also=2.2)
    [0.8, 1.0, 1.2, 1.5, 2.0, 2.2, 2.5, 3.0, 4.0, 5.0]
    """
    finite = values[np.isfinite(values) & (values > 0)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (1.0, 1.0)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    round_numbers = [float(f"{mantissa}e{power}") for power in powers for mantissa in MANTISSAS]
    first = max(number for number in round_numbers if number < low)
    last = min(number for number in round_numbers if number >= high)
    return sorted({*(n for n in round_numbers if first <= n <= last), *([float(also)] if also else [])})


def accuracy_steps(values: np.ndarray) -> list[float]:
    """Steps of half a point over what the configurations reach, one below all of them.

    >>> accuracy_steps(np.array([0.884, 0.896]))
    [0.88, 0.885, 0.89, 0.895, 0.9]
    """
    first, last = math.floor(np.nanmin(values) * 200), math.ceil(np.nanmax(values) * 200)
    return [round(k / 200, 3) for k in range(first, min(last, 200) + 1)]


def decision_table(
    methodology: HardwareAwareDesignMethodology, platforms: list[str], objectives: tuple[str, ...] = ("accuracy", "energy")
) -> pd.DataFrame:
    """The page on paper: for each platform and objective the choice as the latency limit loosens, `staircase` by `staircase`.

    `platform, objective, limit_ms, variant, accuracy, latency_ms, latency_ms_high, ram_mb, energy_mj, evidence`.
    """
    parts = []
    for platform in platforms:
        for objective in objectives:
            answer = methodology.recommend_configuration(platform, objective)
            steps = staircase(answer, "latency_ms")[["limit", "variant"]].rename(columns={"limit": "limit_ms"})
            steps.insert(0, "platform", platform)
            steps.insert(1, "objective", objective)
            table = answer.candidates.assign(ram_mb=answer.candidates["ram_bytes"] / 1e6)
            table["latency_ms_high"] = CUSTOM["latency_ms"].values(table)
            shown = ["variant", "accuracy", "latency_ms", "latency_ms_high", "ram_mb", "energy_mj", "evidence"]
            parts.append(steps.merge(table[shown], on="variant", how="left"))
    return pd.concat(parts, ignore_index=True)
