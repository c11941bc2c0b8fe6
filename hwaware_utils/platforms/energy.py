"""Energy of an inference: active power x latency. A model, never a measurement.

The power is that of the whole board where a published energy speaks for it (MLPerf Tiny, MLPerf Inference), else of the
cores (`power.active_power`). `energy_breakdown` splits the same energy into compute, memory and the rest.
"""

import pandas as pd

from .power import active_power
from .specs import PlatformSpec, load_platform


def active_power_w(spec: PlatformSpec, threads: int = 1) -> tuple[float, float, float]:
    """Power in W (value, low, high) while `threads` cores infer (`power.active_power`)."""
    power = active_power(spec, threads)
    return power.value, power.low, power.high


def estimate_energy(latencies: pd.DataFrame) -> pd.DataFrame:
    """Add `power_w, energy_mj, energy_mj_low, energy_mj_high, energy_basis` to a latency table (columns `platform, threads,
    latency_ms*`).

    W x ms = mJ. The interval multiplies both low ends and both high ends. `evidence` becomes that of the energy, always
    `modelled`; the latency's own moves to `latency_ms_evidence`. Without `latency_ms_low`/`_high` the latency stands for both.
    """
    table = latencies.assign(latency_ms_evidence=latencies["evidence"])
    pairs = list(zip(table["platform"], table["threads"].astype(int), strict=True))
    known = {pair: active_power(load_platform(pair[0]), pair[1]) for pair in set(pairs)}
    powers = [known[pair] for pair in pairs]
    for suffix, end in (("", "value"), ("_low", "low"), ("_high", "high")):
        latency = table.get(f"latency_ms{suffix}", table["latency_ms"])
        table[f"energy_mj{suffix}"] = latency * pd.Series([getattr(p, end) for p in powers], index=table.index, dtype=float)
    table["power_w"], table["energy_basis"] = [p.value for p in powers], [p.basis for p in powers]
    if "basis" in table:  # why a latency has no number, or where its efficiency comes from, is about the latency
        table = table.rename(columns={"basis": "latency_basis"})
    return table.assign(evidence="modelled")
