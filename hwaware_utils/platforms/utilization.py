"""How much of a platform's speed a model uses: the time that a resource must be busy / the time that an inference takes.

A resource that is busy the whole time sets the pace, and none can be busy for longer: a share above 1 says that the
latency or the limit is wrong, so it is refused and never cut. The work is the least that any kernel must do (each MAC
once, each tensor moved once; Williams, Waterman, Patterson 2009, see `roofline`); what kernels do on top is counted
where a simulator executes them (`simulate.utilization`).
"""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from .roofline import cache_bandwidth_gb_s, peak_gmacs_s, roofline
from .specs import PlatformSpec, load_platform

# resource -> what a share near 1 means: `time`, `space` and `heat` set a limit, a `share` only tells where something goes
KINDS = {
    **dict.fromkeys(("compute", "simd", "issue", "load_ports", "memory_bandwidth"), "time"),
    **dict.fromkeys(("ram", "flash", "cache_space"), "space"),
    "heat": "heat",
    **dict.fromkeys(("cache_hits", "energy_compute", "energy_memory", "energy_static", "unexplained"), "share"),
}
COLUMNS = [
    *("variant", "platform", "resource", "kind", "utilization", "utilization_low", "utilization_high"),
    *("limit", "unit", "basis", "evidence", "limit_evidence"),
]
# resource -> the constants of the platform that set its limit
CONSTANTS = {
    **dict.fromkeys(("compute", "simd"), ("macs_per_cycle_fp32", "macs_per_cycle_int8", "clock_mhz")),
    "load_ports": ("cache_bandwidth_bytes_per_cycle", "clock_mhz"),
    "memory_bandwidth": ("memory_bandwidth_gb_s", "last_level_cache_kib"),
    **dict.fromkeys(("cache_space", "cache_hits"), ("last_level_cache_kib",)),
    "ram": ("ram_kib",),
    "flash": ("flash_kib",),
    "heat": ("thermal_resistance_k_w", "throttle_c", "ambient_c"),
}
ENDS = ("value", "low", "high")
_TOLERANCE = 1 + 1e-9  # sums of floats
Triple = tuple[float, float, float]


class OverLimit(ValueError):
    """A resource would have been busy for longer than the inference took: the latency or the limit is wrong."""


def busy_share(busy: Triple, elapsed: Triple) -> Triple:
    """Share of the elapsed time that a resource is busy, each a (value, low, high) in the same unit; OverLimit above 1.

    The ends pair little work with a long time, and much with a short one. An inference lasts as long as its busiest
    resource, so where such a pair contradicts itself the time of that end is the work's: busy throughout, share 1.

    >>> busy_share((2.0, 1.0, 3.0), (4.0, 2.5, 8.0))
    (0.5, 0.125, 1.0)
    """
    if not 0 <= busy[0] <= elapsed[0] * _TOLERANCE:
        raise OverLimit(f"busy for {busy[0]:.4g} ms of {elapsed[0]:.4g} ms")
    times = elapsed[0], max(elapsed[2], busy[1]), max(elapsed[1], busy[2])
    value, low, high = (min(work / time, 1.0) if time else 0.0 for work, time in zip(busy, times, strict=True))
    return value, min(low, value), max(high, value)


def at_end(spec: PlatformSpec, end: str) -> PlatformSpec:
    """The platform with every constant at `low` or `high` of its range, or as it is (`value`)."""
    return replace(spec, constants={name: replace(q, value=getattr(q, end)) for name, q in spec.constants.items()})


def far_bytes(workload: pd.DataFrame, spec: PlatformSpec) -> Triple:
    """Bytes that an inference takes from behind the last cache: value, low, high; the inference before left the cache warm.

    value: what weights and the largest operator exceed the cache by, as `energy_breakdown.memory_mj` has it; a
    microcontroller's weights and activations all lie in flash and SRAM, an NPU's weights in flash. low: what no cache can
    hold while an operator runs. high: everything, unless a cache at its smallest holds all.
    """
    traffic = workload["weight_bytes"] + workload["activation_bytes"]
    total, weights = float(traffic.sum()), float(workload["weight_bytes"].sum())

    def uncached(end: str) -> float:
        return float((traffic - cache_bytes(spec, end)).clip(lower=0).sum())

    excess = max(footprint_bytes(workload) - cache_bytes(spec, "value"), 0.0)
    value = {"microcontroller": total, "npu": weights, "application": excess}[spec.kind]
    holds_all = spec.kind == "application" and footprint_bytes(workload) <= cache_bytes(spec, "low")
    return min(max(value, uncached("value")), total), uncached("high"), 0.0 if holds_all else total


def footprint_bytes(workload: pd.DataFrame) -> float:
    """Weights and the activations of the largest operator: what would have to stay in the cache from run to run."""
    return float(workload["weight_bytes"].sum()) + (float(workload["activation_bytes"].max()) if len(workload) else 0.0)


def cache_bytes(spec: PlatformSpec, end: str = "value") -> float:
    """The last-level cache in bytes at one end of its range."""
    return getattr(spec.constants["last_level_cache_kib"], end) * 1024


def estimate_utilization(workload: pd.DataFrame, row: Mapping) -> pd.DataFrame:
    """Rows compute, load_ports, memory_bandwidth, unexplained, cache_space and cache_hits (COLUMNS) of one inference.

    `row` is a row of `estimate_latencies` (variant, platform, precision, threads, latency_ms with its range, basis,
    evidence). Limits in 1e9 MAC/s, 1e9 B/s, ms (the roofline) and KiB. A measured time below a bound refutes what this
    host is taken to be able to do, a time below that of the estimated traffic the estimate: no number, and `basis` says
    so. A modelled time below a bound is a defect of the model: OverLimit.
    """
    spec, threads = load_platform(row["platform"]), row["threads"]
    worlds = {"value": spec, "low": at_end(spec, "high"), "high": at_end(spec, "low")}  # a better machine is less busy
    lines = {end: roofline(workload, world, row["precision"], threads) for end, world in worlds.items()}
    macs, traffic = float(lines["value"]["macs"].sum()), float(lines["value"]["bytes"].sum())
    far = dict(zip(ENDS, far_bytes(workload, spec), strict=True))
    busy_ms = {
        "compute": _triple(lambda end: float(lines[end]["compute_ms"].sum())),
        "load_ports": _triple(lambda end: traffic / cache_bandwidth_gb_s(worlds[end], threads) / 1e6),
        "memory_bandwidth": _triple(lambda end: far[end] / worlds[end].value("memory_bandwidth_gb_s") / 1e6),
        "unexplained": _triple(lambda end: float(lines[end]["bound_ms"].sum())),
    }
    peak = macs / busy_ms["compute"][0] / 1e6 if macs else peak_gmacs_s(spec, row["precision"], threads)
    told = {
        "compute": (peak, "GMAC/s", "the model's MACs at the peak of their type"),
        "load_ports": (cache_bandwidth_gb_s(spec, threads), "GB/s", "each tensor through the load ports once"),
        "memory_bandwidth": (
            spec.value("memory_bandwidth_gb_s"),
            "GB/s",
            f"{far['value'] / 1024:.0f} KiB from behind the cache",
        ),
        "unexplained": (busy_ms["unexplained"][0], "ms", "1 - roofline / latency: loops, packing, stalls"),
    }
    rows = [
        utilization_row(row, name, _share(name, busy_ms[name], row), limit, unit, f"{what}; latency: {row['basis']}")
        for name, (limit, unit, what) in told.items()
    ]
    return pd.DataFrame([*rows, *_cache_rows(workload, spec, row, far, traffic)], columns=COLUMNS)


def _triple(at) -> Triple:
    return tuple(at(end) for end in ENDS)


def _share(name: str, busy_ms: Triple, row: Mapping) -> Triple | str:
    try:
        share = busy_share(busy_ms, (row["latency_ms"], row["latency_ms_low"], row["latency_ms_high"]))
    except OverLimit as error:
        if row["evidence"] == "modelled" and name != "memory_bandwidth":  # its work is an estimate, the others' a bound
            raise OverLimit(f"{row['variant']} on {row['platform']}, {name}: {error}") from error
        return f"no number: {error}, so the work, the limit or the latency is wrong"
    return share if name != "unexplained" else (1 - share[0], 1 - share[2], 1 - share[1])


def _cache_rows(workload: pd.DataFrame, spec: PlatformSpec, row: Mapping, far: dict, traffic: float) -> list[dict]:
    need, size = footprint_bytes(workload), cache_bytes(spec)
    filled = tuple(min(need, cache_bytes(spec, end)) / cache_bytes(spec, end) for end in ("value", "high", "low"))
    hits = tuple(1 - far[end] / traffic if traffic else 1.0 for end in ("value", "high", "low"))
    text = f"{need / 1024:.0f} KiB of weights and the largest operator; {max(need - size, 0) / 1024:.0f} KiB beyond the cache"
    modelled = {**row, "evidence": "modelled"}
    return [
        utilization_row(modelled, "cache_space", filled, size / 1024, "KiB", text),
        utilization_row(
            modelled, "cache_hits", hits, traffic / 1024, "KiB", f"share of the bytes from within the cache; {text}"
        ),
    ]


def utilization_row(
    row: Mapping, resource: str, share: Triple | str, limit: float, unit: str, basis: str, known_limit: str | None = None
) -> dict:
    """One row of COLUMNS; a `share` that is a text is the reason for having none. ValueError outside of 0 to 1.

    `known_limit` is the evidence of the limit where it is not that of the platform's constants.
    """
    if isinstance(share, str):
        share, basis = (float("nan"),) * 3, share
    elif not 0 <= share[1] <= share[0] <= share[2] <= 1:
        raise ValueError(f"{resource} of {row['variant']} on {row['platform']}: {share} is no share with its range.")
    identity = {"variant": row["variant"], "platform": row["platform"], "resource": resource, "kind": KINDS[resource]}
    numbers = {"utilization": share[0], "utilization_low": share[1], "utilization_high": share[2]}
    behind = known_limit or limit_evidence(load_platform(row["platform"]), resource)
    known = {"evidence": row["evidence"], "limit_evidence": behind}
    return identity | numbers | {"limit": limit, "unit": unit, "basis": basis} | known


def limit_evidence(spec: PlatformSpec, resource: str) -> str:
    """`published` when every constant behind the limit is, `modelled` where the limit is a model's, else `assumed`."""
    names = [name for name in CONSTANTS.get(resource, ()) if name in spec.constants]
    if not names:
        return "modelled"
    return "published" if all(spec.constants[name].evidence == "published" for name in names) else "assumed"
