"""Latency of a model on a platform: cycles a unit of work, fitted to published measurements, with an honest interval.

The roofline stays the lower bound: no value and no end of an interval lies below it. Where the cycles of a platform come
from stands in the `latency:` block of its YAML (`latency_entries`), and for every estimate in `basis`.
"""

from collections.abc import Mapping

import pandas as pd

from ..base.errors import UserError
from .latency_features import workload_features
from .latency_model import find_model
from .latency_predictors import Blend, LatencyModel
from .roofline import check_threads, roofline
from .specs import PlatformSpec, load_platform

COLUMNS = [
    *("variant", "platform", "runtime", "threads", "precision", "latency_ms", "latency_ms_low", "latency_ms_high"),
    *("bound_ms", "intensity_macs_per_byte", "throughput_gmacs_s", "basis", "extrapolated", "evidence"),
]


def estimate_latency(
    workload: pd.DataFrame, platform: str | PlatformSpec, precision: str, threads: int = 1, variant: str = ""
) -> dict:
    """One row of `estimate_latencies` for one workload table. UserError if the platform does not run the precision.

    The interval is meant to hold 90 % of networks (`intervals`). `extrapolated` is true, and `basis` says why, when part
    of the work is unlike all calibrated networks or is an operator that no model knows.
    """
    spec = load_platform(platform) if isinstance(platform, str) else platform
    check_threads(spec, threads)
    if not spec.runs(precision):
        raise UserError(
            f"{spec.runtime} {spec.runtime_version} on {spec.id} does not run {precision} models: it runs "
            f"{', '.join(spec.arithmetics())}; convert the model to one of them."
        )
    model = find_model(spec.id, precision, int(threads))
    lines = roofline(workload, spec, precision, threads)
    bound, macs, traffic = (float(lines[name].sum()) for name in ("bound_ms", "macs", "bytes"))
    *ms, unknown = model.predict(workload_features(workload), bound, spec.value("clock_mhz"))
    latency, low, high = (float(x[0]) for x in ms)
    warnings = _warnings(model, unknown[0], workload)
    return {
        "variant": variant,
        "platform": spec.id,
        "runtime": f"{spec.runtime} {spec.runtime_version}",
        "threads": threads,
        "precision": precision,
        "latency_ms": latency,
        "latency_ms_low": low,
        "latency_ms_high": high,
        "bound_ms": bound,
        "intensity_macs_per_byte": macs / traffic if traffic else float("nan"),
        "throughput_gmacs_s": macs / latency / 1e6 if latency else float("nan"),
        "basis": "; ".join([model.basis, *warnings, *_clipped(low, bound)]),
        "extrapolated": bool(warnings),
        "evidence": "modelled",
    }


def estimate_latencies(
    variants: pd.DataFrame, workloads: Mapping[str, pd.DataFrame], platforms: list[str], threads: int = 1
) -> pd.DataFrame:
    """A row for each variant and platform: `variant, platform, runtime, threads, precision, latency_ms, latency_ms_low,
    latency_ms_high, bound_ms, intensity_macs_per_byte, throughput_gmacs_s, basis, extrapolated, evidence`.

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

    Columns that a measurement has no use for (bound) stay the model's; evidence and numbers are measured.
    """
    key = ["variant", "platform"]
    numbers = ["runtime", "threads", "latency_ms", "latency_ms_low", "latency_ms_high", "evidence"]
    table = modelled.set_index(key)
    known = measured[measured["platform"].isin(modelled["platform"])].set_index(key)[numbers]
    both = known.index.intersection(table.index)
    table.loc[both, numbers] = known.loc[both]
    table.loc[both, "basis"] = "measured on this host"
    table.loc[both, "extrapolated"] = False
    table.loc[both, "throughput_gmacs_s"] *= modelled.set_index(key).loc[both, "latency_ms"] / known.loc[both, "latency_ms"]
    return table.reset_index()[list(modelled.columns)]


def _warnings(model: LatencyModel | Blend, unknown, workload: pd.DataFrame) -> list[str]:
    """Why an estimate reaches beyond its calibration: one phrase a reason, none if it does not."""
    reasons = [reason for leaf in model.leaves() for reason in leaf.reasons()]
    found = {f"extrapolated: {_beyond(reason, share)}" for reason, share in zip(reasons, unknown, strict=True) if share > 0}
    strange = sorted(set(workload.loc[~workload["known"].astype(bool), "operator"]))
    if strange:
        found.add(f"extrapolated: no model knows {', '.join(strange)}, counted as data movement only")
    return sorted(found)


def _beyond(reason: str, share: float) -> str:
    if reason == "size":
        return "the network is less than half as large as any calibrated one, or more than twice"
    return f"{reason}: {100 * share:.0f} % more of the time than in any calibrated network"


def _clipped(low: float, bound: float) -> list[str]:
    return ["low end raised to the roofline"] if 0 < low <= bound else []


def _not_run(variant: str, spec: PlatformSpec, precision: str, threads: int) -> dict:
    why = f"{spec.runtime} {spec.runtime_version} does not run {precision} models"
    runtime = f"{spec.runtime} {spec.runtime_version}"
    identity = {"variant": variant, "platform": spec.id, "runtime": runtime, "threads": threads, "precision": precision}
    return identity | {"basis": why, "extrapolated": False, "evidence": "modelled"}
