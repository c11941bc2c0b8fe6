"""Latency of a model on a platform: its roofline divided by the efficiency that published measurements reach.

The roofline is a lower bound; the interval spans the least and the best efficiency of the published rows.
"""

from collections.abc import Mapping

import pandas as pd

from ..base.errors import UserError
from .efficiency import find_efficiency
from .roofline import check_threads, roofline
from .specs import PlatformSpec, load_platform

COLUMNS = [
    *("variant", "platform", "runtime", "threads", "precision", "latency_ms", "latency_ms_low", "latency_ms_high"),
    *("bound_ms", "intensity_macs_per_byte", "throughput_gmacs_s", "efficiency", "basis", "evidence"),
]


def estimate_latency(
    workload: pd.DataFrame, platform: str | PlatformSpec, precision: str, threads: int = 1, variant: str = ""
) -> dict:
    """One row of `estimate_latencies` for one workload table. UserError if the platform does not run the precision."""
    spec = load_platform(platform) if isinstance(platform, str) else platform
    check_threads(spec, threads)
    if not spec.runs(precision):
        raise UserError(
            f"{spec.runtime} {spec.runtime_version} on {spec.id} does not run {precision} models: it runs "
            f"{', '.join(spec.arithmetics())}; convert the model to one of them."
        )
    efficiency = find_efficiency(spec.id, precision, threads)
    lines = roofline(workload, spec, precision, threads)
    bound, macs, traffic = (float(lines[name].sum()) for name in ("bound_ms", "macs", "bytes"))
    latency = bound / efficiency.median
    return {
        "variant": variant,
        "platform": spec.id,
        "runtime": f"{spec.runtime} {spec.runtime_version}",
        "threads": threads,
        "precision": precision,
        "latency_ms": latency,
        "latency_ms_low": bound / efficiency.high,
        "latency_ms_high": bound / efficiency.low,
        "bound_ms": bound,
        "intensity_macs_per_byte": macs / traffic if traffic else float("nan"),
        "throughput_gmacs_s": macs / latency / 1e6 if latency else float("nan"),
        "efficiency": efficiency.median,
        "basis": efficiency.basis,
        "evidence": "modelled",
    }


def estimate_latencies(
    variants: pd.DataFrame, workloads: Mapping[str, pd.DataFrame], platforms: list[str], threads: int = 1
) -> pd.DataFrame:
    """A row for each variant and platform: `variant, platform, runtime, threads, precision, latency_ms, latency_ms_low,
    latency_ms_high, bound_ms, intensity_macs_per_byte, throughput_gmacs_s, efficiency, basis, evidence`.

    `variants` has the columns `variant` and `precision`; `workloads` maps each variant to its workload table. A variant
    that the platform's runtime does not execute gets a row without numbers whose `basis` says why. `threads` above a
    platform's cores counts as all its cores. Raises UserError for an unknown platform or a variant without workload.
    """
    rows = []
    for name, precision in zip(variants["variant"], variants["precision"], strict=True):
        if name not in workloads:
            raise UserError(f"variant {name!r} has no workload: load its .tflite with workload.load_workload first.")
        for spec in map(load_platform, platforms):
            count = min(threads, int(spec.value("cores")))
            rows.append(
                estimate_latency(workloads[name], spec, precision, count, name)
                if spec.runs(precision)
                else _not_run(name, spec, precision, count)
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def prefer_measured(modelled: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """`modelled` with the rows replaced that `measured` has for the same variant and platform.

    Columns that a measurement has no use for (bound, efficiency) stay the model's; evidence and numbers are measured.
    """
    key = ["variant", "platform"]
    numbers = ["runtime", "threads", "latency_ms", "latency_ms_low", "latency_ms_high", "evidence"]
    table = modelled.set_index(key)
    known = measured[measured["platform"].isin(modelled["platform"])].set_index(key)[numbers]
    both = known.index.intersection(table.index)
    table.loc[both, numbers] = known.loc[both]
    table.loc[both, "basis"] = "measured on this host"
    table.loc[both, "throughput_gmacs_s"] *= modelled.set_index(key).loc[both, "latency_ms"] / known.loc[both, "latency_ms"]
    return table.reset_index()[list(modelled.columns)]


def _not_run(variant: str, spec: PlatformSpec, precision: str, threads: int) -> dict:
    why = f"{spec.runtime} {spec.runtime_version} does not run {precision} models"
    runtime = f"{spec.runtime} {spec.runtime_version}"
    identity = {"variant": variant, "platform": spec.id, "runtime": runtime, "threads": threads, "precision": precision}
    return identity | {"basis": why, "evidence": "modelled"}
