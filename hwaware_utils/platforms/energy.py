"""Energy of an inference: active power x latency. A model, never a measurement; sources stand in the platform's YAML."""

import pandas as pd

from .specs import PlatformSpec, load_platform


def active_power_w(spec: PlatformSpec, threads: int = 1) -> tuple[float, float, float]:
    """Power in W (value, low, high) while `threads` cores work: linear between one thread and all cores."""
    one, every, cores = spec.constants["power_one_thread_w"], spec.constants["power_all_cores_w"], spec.value("cores")
    share = (threads - 1) / (cores - 1) if cores > 1 else 0.0
    middle, low, high = ((1 - share) * getattr(one, x) + share * getattr(every, x) for x in ("value", "low", "high"))
    return middle, low, high


def estimate_energy(latencies: pd.DataFrame) -> pd.DataFrame:
    """Add `power_w, energy_mj, energy_mj_low, energy_mj_high` to a latency table (columns platform, threads, latency_ms*).

    W x ms = mJ. The interval multiplies both low ends and both high ends. `evidence` becomes that of the energy, always
    `modelled`; the latency's own moves to `latency_ms_evidence`. Without `latency_ms_low`/`_high` the latency stands for both.
    """
    table = latencies.assign(latency_ms_evidence=latencies["evidence"])
    powers = [active_power_w(load_platform(p), int(t)) for p, t in zip(table["platform"], table["threads"], strict=True)]
    for suffix, position in (("", 0), ("_low", 1), ("_high", 2)):
        latency = table.get(f"latency_ms{suffix}", table["latency_ms"])
        table[f"energy_mj{suffix}"] = latency * pd.Series([p[position] for p in powers], index=table.index, dtype=float)
    table["power_w"] = [p[0] for p in powers]
    if "basis" in table:  # why a latency has no number, or where its efficiency comes from, is about the latency
        table = table.rename(columns={"basis": "latency_basis"})
    return table.assign(evidence="modelled")
