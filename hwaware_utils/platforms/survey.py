"""Every variant on every platform: the tables of notebook 04, each from a model that answers for one pair."""

from collections.abc import Mapping

import pandas as pd

from .device_memory import estimate_device_memory
from .energy_breakdown import energy_breakdown
from .fits import fits
from .power import active_power
from .specs import load_platform
from .thermal import estimate_thermal

PAIR = ["variant", "platform"]


def survey_memory(
    variants: pd.DataFrame, operators: Mapping[str, pd.DataFrame], tensors: Mapping[str, pd.DataFrame], platforms: list[str]
) -> pd.DataFrame:
    """`estimate_device_memory` for each variant (columns variant, precision, size_bytes) and platform: a row each."""
    rows = [
        {"variant": v.variant, "platform": platform}
        | estimate_device_memory(operators[v.variant], tensors[v.variant], platform, v.precision, v.size_bytes)
        for v in variants.itertuples()
        for platform in platforms
    ]
    return pd.DataFrame(rows)


def survey_fits(memories: pd.DataFrame, latencies: pd.DataFrame) -> pd.DataFrame:
    """Whether each pair runs: `variant, platform, ram_kib, flash_kib, fits, why_not, evidence`.

    `latencies` is the table of `estimate_latencies`: a pair without a latency does not run, and its `basis` says why.
    """
    table = memories.merge(latencies[[*PAIR, "latency_ms", "basis"]], on=PAIR, validate="one_to_one")
    stops = [
        row.basis if pd.isna(row.latency_ms) else fits(row.platform, row.ram_kib * 1024, row.flash_kib * 1024)[1]
        for row in table.itertuples()
    ]
    columns = [*PAIR, "ram_kib", "flash_kib"]
    return table[columns].assign(fits=[not stop for stop in stops], why_not=stops, evidence="modelled")


def survey_energy_parts(latencies: pd.DataFrame, operators: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`energy_breakdown` of each row of a latency table (variant, platform, precision, latency_ms, threads)."""
    parts = [
        energy_breakdown(operators[row.variant], row.platform, row.precision, row.latency_ms, row.threads).assign(
            variant=row.variant
        )
        for row in latencies.itertuples()
    ]
    return pd.concat(parts, ignore_index=True)


def survey_heat(platforms: list[str], seconds: float = 3600.0) -> pd.DataFrame:
    """`estimate_thermal` of each platform with all its cores at work, one table."""
    curves = []
    for platform in platforms:
        spec = load_platform(platform)
        power = active_power(spec, int(spec.value("cores")))
        curves.append(estimate_thermal(spec, power.value, seconds, power_w_low=power.low, power_w_high=power.high))
    return pd.concat(curves, ignore_index=True)
