"""The roofline: no operator can take less time than its arithmetic or its traffic at the machine's best speed.

Source: Williams, Waterman, Patterson, "Roofline", CACM 52(4) 2009, https://doi.org/10.1145/1498765.1498785, with the
cache as a second bandwidth: bytes that may still lie in the last-level cache are charged at the cores' load width,
and only what cannot lie there at the speed of memory. That keeps it a lower bound for networks that fit the cache.
"""

import math

import pandas as pd

from ..base.errors import UserError
from .specs import ARITHMETIC, PlatformSpec


def peak_gmacs_s(spec: PlatformSpec, arithmetic: str, threads: int = 1) -> float:
    """Peak of `threads` cores in 1e9 MAC/s: cores x MACs a cycle and core x clock.

    fp16 files run as fp32 here; `dynamic` is granted the integer peak, which only loosens the bound.
    """
    check_threads(spec, threads)
    name = "macs_per_cycle_fp32" if arithmetic in ("fp32", "fp16") else "macs_per_cycle_int8"
    return threads * spec.value(name) * spec.value("clock_mhz") / 1e3


def cache_bandwidth_gb_s(spec: PlatformSpec, threads: int = 1) -> float:
    """Load width of `threads` cores in 1e9 B/s: no operator reads its operands faster, wherever they lie."""
    return threads * spec.value("cache_bandwidth_bytes_per_cycle") * spec.value("clock_mhz") / 1e3


def ridge_macs_per_byte(spec: PlatformSpec, arithmetic: str, threads: int = 1) -> float:
    """Operational intensity from which arithmetic, not memory, is the limit: peak / memory bandwidth, in MAC/B."""
    return peak_gmacs_s(spec, arithmetic, threads) / spec.value("memory_bandwidth_gb_s")


def roofline(workload: pd.DataFrame, spec: PlatformSpec, precision: str, threads: int = 1) -> pd.DataFrame:
    """A row per operator: `index, operator, macs, bytes, intensity_macs_per_byte, compute_ms, memory_ms, bound_ms, limit,
    evidence`. `bound_ms` = max(compute, memory) cannot be undercut; their sum bounds the whole network from below.
    """
    arithmetic = ARITHMETIC.get(precision, precision)
    traffic = workload["weight_bytes"] + workload["activation_bytes"]
    compute_ms = workload["macs"] / peak_gmacs_s(spec, arithmetic, threads) / 1e6
    if arithmetic == "mixed":  # each operator at the peak of its own type
        floats = workload["dtype"].str.startswith("float") & ~workload["weight_dtype"].str.startswith(("int", "uint"))
        compute_ms = compute_ms.where(~floats, workload["macs"] / peak_gmacs_s(spec, "fp32", threads) / 1e6)
    cache_gb_s = cache_bandwidth_gb_s(spec, threads)
    uncached = (traffic - spec.value("last_level_cache_kib") * 1024).clip(lower=0)
    memory_ms = (traffic / cache_gb_s).combine(uncached / spec.value("memory_bandwidth_gb_s"), max) / 1e6
    return pd.DataFrame(
        {
            "index": workload["index"],
            "operator": workload["operator"],
            "macs": workload["macs"],
            "bytes": traffic,
            "intensity_macs_per_byte": workload["macs"] / traffic.where(traffic > 0),
            "compute_ms": compute_ms,
            "memory_ms": memory_ms,
            "bound_ms": compute_ms.combine(memory_ms, max),
            "limit": ["compute" if c >= m else "memory" for c, m in zip(compute_ms, memory_ms, strict=True)],
            "evidence": "modelled",
        }
    )


def bound_ms(workload: pd.DataFrame, spec: PlatformSpec, precision: str, threads: int = 1) -> float:
    """Least time of the whole network in ms: the sum over its operators, which run one after the other."""
    return math.fsum(roofline(workload, spec, precision, threads)["bound_ms"])


def check_threads(spec: PlatformSpec, threads: int) -> None:
    """UserError unless the platform has that many cores."""
    cores = int(spec.value("cores"))
    if isinstance(threads, bool) or int(threads) != threads or not 1 <= threads <= cores:
        raise UserError(f"threads {threads!r} does not suit {spec.id}: give a whole number from 1 to {cores}.")


def roofs(platforms: list[PlatformSpec], arithmetics: tuple[str, ...] = ("fp32", "int8"), threads: int = 1) -> pd.DataFrame:
    """The roofs of a roofline chart: `platform, precision, threads, peak_gmacs_s, bandwidth_gb_s, memory_bandwidth_gb_s,
    ridge_macs_per_byte, evidence`. `bandwidth_gb_s` is the cores' load width, the only slope that nothing can exceed.
    """
    rows = [
        {
            "platform": spec.id,
            "precision": arithmetic,
            "threads": threads,
            "peak_gmacs_s": peak_gmacs_s(spec, arithmetic, threads),
            "bandwidth_gb_s": cache_bandwidth_gb_s(spec, threads),
            "memory_bandwidth_gb_s": spec.value("memory_bandwidth_gb_s"),
            "ridge_macs_per_byte": ridge_macs_per_byte(spec, arithmetic, threads),
            "evidence": "modelled",
        }
        for spec in platforms
        for arithmetic in arithmetics
        if spec.runs(arithmetic)
    ]
    return pd.DataFrame(rows)
