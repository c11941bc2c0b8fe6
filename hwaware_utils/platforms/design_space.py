"""Latency of thousands of MobileNets in one go: the same model as `latency.estimate_latency`, arrays instead of a loop.

Nothing here knows a network one by one: layers are walked once, each an array over all networks (`mobilenet_vectors`).
"""

import time

import numpy as np
import pandas as pd

from .latency import estimate_latency
from .latency_model import find_model
from .mobilenet import check_network, mobilenet_workload
from .mobilenet_vectors import as_arrays, layers
from .roofline import cache_bandwidth_gb_s, check_threads, peak_gmacs_s
from .specs import ARITHMETIC, PlatformSpec, load_platform

# precision -> bytes of (a weight, a bias, an activation element), as in `mobilenet_workload`
WIDTHS = {"fp32": (4, 4, 4), "fp16": (2, 2, 4), "dynamic": (1, 4, 4), "int8": (1, 4, 1)}
# Networks at a time: an array of a layer stays in a core's own cache.
BLOCK = 8192


def estimate_design_points(
    platform: str, family: str, alphas, resolutions, classes, precision: str = "int8", threads: int = 1
) -> pd.DataFrame:
    """A row for each network: `platform, family, alpha, resolution, classes, precision, threads, macs, parameters,
    arena_bytes_at_least, bound_ms, latency_ms, latency_ms_low, latency_ms_high, extrapolated, evidence`.

    `alphas`, `resolutions` and `classes` are numbers or arrays that broadcast to one length. `arena_bytes_at_least` is the
    largest input + output of one operator: no arena is smaller unless operators run in place. UserError as
    `mobilenet_workload` and `estimate_latency` raise it, for the first value that is out of range.
    """
    spec, arithmetic = load_platform(platform), ARITHMETIC.get(precision, precision)
    check_threads(spec, threads)
    model = find_model(spec.id, precision, int(threads))
    _check(family, alphas, resolutions, classes, precision)
    alphas, resolutions, classes, channels = (np.atleast_1d(x) for x in as_arrays(alphas, resolutions, classes, 3))
    wanted = [name for leaf in model.leaves() if leaf.calibration for name in leaf.calibration.features]
    parts = []
    for start in range(0, len(alphas), BLOCK):
        block = [x[start : start + BLOCK] for x in (alphas, resolutions, classes, channels)]
        totals, features = _totals(spec, arithmetic, int(threads), family, block, wanted)
        *ms, unknown = model.predict(features, totals["bound_ms"], spec.value("clock_mhz"))
        latency = dict(zip(("latency_ms", "latency_ms_low", "latency_ms_high"), ms, strict=True))
        parts.append(totals | latency | {"extrapolated": (unknown > 0).any(axis=1)})
    geometry = {"alpha": alphas, "resolution": resolutions.astype(np.int64), "classes": classes.astype(np.int64)}
    geometry |= {"precision": precision, "threads": threads}
    estimates = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame({"platform": platform, "family": family} | geometry | estimates | {"evidence": "modelled"})


def _totals(spec: PlatformSpec, arithmetic: str, threads: int, family: str, block: list, wanted) -> tuple[dict, dict]:
    """Sums over the layers of each network: (MACs, parameters, arena, roofline), (wanted features)."""
    weight, bias, element = WIDTHS[arithmetic]
    compute = 1 / (peak_gmacs_s(spec, arithmetic, threads) * 1e6)
    cached = 1 / (cache_bandwidth_gb_s(spec, threads) * 1e6)
    memory, cache_bytes = 1 / (spec.value("memory_bandwidth_gb_s") * 1e6), spec.value("last_level_cache_kib") * 1024
    shape = block[0].shape
    features = {name: np.zeros(shape) for name in wanted}
    whole = {name: np.zeros(shape) for name in ("macs", "parameters", "arena_bytes_at_least")}
    bound = np.zeros(shape)
    for layer in layers(family, *block):
        for name, amount in layer.features(wanted, element).items():
            features[name] += amount
        moved = layer.elements * element
        traffic = layer.kernels * weight + layer.biases * bias + moved
        slowest = np.maximum(traffic * cached, (traffic - cache_bytes) * memory)
        bound += np.maximum(layer.macs * compute, slowest)
        whole["macs"] += layer.macs
        whole["parameters"] += layer.kernels + layer.biases
        np.maximum(whole["arena_bytes_at_least"], moved, out=whole["arena_bytes_at_least"])
    return {name: total.astype(np.int64) for name, total in whole.items()} | {"bound_ms": bound}, features


def _check(family, alphas, resolutions, classes, precision) -> None:
    check_network(family, 1, 96, 1, precision)
    for name, values in (("alpha", alphas), ("resolution", resolutions), ("classes", classes)):
        values = np.atleast_1d(np.asarray(values, dtype=float))
        odd = [] if name == "alpha" else list(values[values != np.floor(values)][:1])
        for value in (values.min(), values.max(), *odd) if len(values) else ():
            check_network(
                **({"family": family, "alpha": 1, "resolution": 96, "classes": 1, "precision": precision} | {name: value})
            )


def compare_speed(
    platform: str = "arm_cortex_m7", precision: str = "int8", points: int = 100_000, loop_points: int = 20
) -> pd.DataFrame:
    """The vectorised estimate beside a loop over `estimate_latency`, timed on this host: `way, points, seconds,
    points_per_second, ratio, evidence`. `ratio` is to the loop."""
    random = np.random.default_rng(0)
    alphas, resolutions = random.uniform(0.2, 1.4, points), random.integers(32, 225, points)
    seconds = []
    start = time.perf_counter()
    estimate_design_points(platform, "mobilenet_v2", alphas, resolutions, 10, precision)
    seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    for alpha, resolution in zip(alphas[:loop_points], resolutions[:loop_points], strict=True):
        workload = mobilenet_workload("mobilenet_v2", float(alpha), int(resolution), 10, precision)
        estimate_latency(workload, platform, precision)
    seconds.append(time.perf_counter() - start)
    table = pd.DataFrame({"way": ["vectorised", "loop"], "points": [points, loop_points], "seconds": seconds})
    table["points_per_second"] = table["points"] / table["seconds"]
    return table.assign(ratio=table["points_per_second"] / table["points_per_second"].iloc[-1], evidence="measured")
