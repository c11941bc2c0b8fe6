"""The memory model against the vendor's published RAM and flash, every geometry predicted by a fit that never saw it."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import ceil

import numpy as np
import pandas as pd

from .device_memory import memory_parts
from .latency_fit import nnls
from .memory_runtimes import MemoryRuntime, find_memory_runtime, load_memory_runtimes
from .mobilenet import mobilenet_tensors, mobilenet_workload
from .published import select_published
from .specs import load_platform

GEOMETRY = ["family", "alpha", "resolution", "channels"]  # classes change the head, which no peak and no scale hangs on
LEVEL = 0.9
BOARD = "arm_cortex_m7"  # STM32H747I-DISCO: all published rows were taken on it


def fit_ram(rows: pd.DataFrame) -> np.ndarray:
    """Least squares of the relative error, none negative: ram_constant_kib, ram_per_operator_kib, second_pool_share."""
    features = np.column_stack([np.ones(len(rows)), rows["operators"], rows["apart_kib"] * rows["two_pools"]])
    return _relative_nnls(features, rows["ram_kib"], rows["planned_kib"])


def fit_code(rows: pd.DataFrame) -> np.ndarray:
    """The same for code_constant_kib, code_per_operator_kib; weights and bytes a channel are counted, not fitted."""
    return _relative_nnls(np.column_stack([np.ones(len(rows)), rows["operators"]]), rows["flash_kib"], rows["stored_kib"])


def _relative_nnls(features: np.ndarray, target: pd.Series, known: pd.Series) -> np.ndarray:
    target, known = target.to_numpy(float), known.to_numpy(float)
    return nnls(features.astype(float) / target[:, None], (target - known) / target)


def _predict_ram(rows: pd.DataFrame, fitted: np.ndarray) -> np.ndarray:
    second = rows["apart_kib"] * rows["two_pools"] * fitted[2]
    return (rows["planned_kib"] + fitted[0] + fitted[1] * rows["operators"] + second).to_numpy(float)


def _predict_flash(rows: pd.DataFrame, fitted: np.ndarray) -> np.ndarray:
    return (rows["stored_kib"] + fitted[0] + fitted[1] * rows["operators"]).to_numpy(float)


WHAT: dict[str, tuple[Callable, Callable]] = {"ram": (fit_ram, _predict_ram), "flash": (fit_code, _predict_flash)}


def published_parts(runtime: MemoryRuntime) -> pd.DataFrame:
    """The published rows of a runtime with what the planner says of each network (`memory_parts`), `planned_kib` and
    `two_pools` (it leaves the internal RAM of arm_cortex_m7, the board of these rows) and `stored_kib`."""
    rows = select_published(dict(runtime.published or {})).dropna(subset=["ram_kib", "flash_kib"]).reset_index(drop=True)
    parts = []
    for row in rows.itertuples():
        network = (row.family, row.alpha, int(row.resolution), int(row.classes), "int8", int(row.channels))
        parts.append(memory_parts(mobilenet_workload(*network), mobilenet_tensors(*network), runtime))
    table = pd.concat([rows, pd.DataFrame(parts)], axis=1)
    planned = table["arena_kib"] + table["scratch_kib"]
    beyond = planned > load_platform(BOARD).value("ram_kib")
    two_pools = beyond & (runtime.value("second_pool_share") > 0)
    stored = table["weights_kib"] + runtime.value("code_per_channel_bytes") * table["channels_scaled"] / 1024
    return table.assign(planned_kib=planned.where(~two_pools, table["apart_kib"]), two_pools=two_pools, stored_kib=stored)


def _hold_out(runtime: MemoryRuntime) -> pd.DataFrame:
    table = published_parts(runtime)
    groups = table.groupby(GEOMETRY).ngroup()
    tables = []
    for what, (fit, predict) in WHAT.items():
        predicted = pd.Series(0.0, table.index)
        for group in groups.unique():
            out = groups == group
            predicted[out] = predict(table[out], fit(table[~out]))
        columns = table[[*GEOMETRY, "classes", "runtime"]].copy()
        own = runtime.id == find_memory_runtime(BOARD).id
        columns.insert(0, "platform", BOARD if own else f"{BOARD} ({table['runtime'].iloc[0]})")
        tables.append(columns.assign(what=what, published_kib=table[f"{what}_kib"], predicted_kib=predicted))
    return pd.concat(tables, ignore_index=True)


@lru_cache(maxsize=1)
def _validation() -> pd.DataFrame:
    runtimes = [runtime for runtime in load_memory_runtimes().values() if runtime.published]
    table = pd.concat([_hold_out(runtime) for runtime in runtimes], ignore_index=True)
    table["relative_error"] = table["predicted_kib"] / table["published_kib"] - 1
    distance = np.log(table["predicted_kib"] / table["published_kib"]).abs()
    group = table.groupby([*GEOMETRY, "runtime"]).ngroup()
    spread = [
        conformal_spread(distance[(table["what"] == row.what) & (group != group[row.Index])]) for row in table.itertuples()
    ]
    table["low"], table["high"] = table["predicted_kib"] / spread, table["predicted_kib"] * spread
    table["covered"] = table["published_kib"].between(table["low"], table["high"])
    return table.assign(split="leave one geometry out", evidence="modelled")


def conformal_spread(distances: pd.Series, level: float = LEVEL) -> float:
    """Factor of a `level` interval from |ln(predicted / published)| of other held-out rows (split conformal).

    >>> round(conformal_spread(pd.Series([0.0, 0.1, 0.2])), 3)  # too few rows for 90 %: the largest
    1.221
    """
    rank = min(ceil((len(distances) + 1) * level), len(distances))
    return float(np.exp(np.sort(distances)[rank - 1]))


def memory_validation() -> pd.DataFrame:
    """Published against predicted memory, a row for each published figure, its geometry left out of the fit.

    Columns: platform, family, alpha, resolution, channels, classes, runtime, what (ram or flash), published_kib,
    predicted_kib, relative_error, low, high (90 % interval from the errors of the other geometries), covered, split,
    evidence (of the prediction). The vendor's figures: params/published_measurements.csv.
    """
    return _validation().copy()


# What a runtime may do in place, from nothing to everything: the assumptions that were held against the published RAM.
ASSUMPTIONS: dict[str, dict[str, float]] = {
    "nothing": {},
    "additions": {"ADD": 1},
    "additions, depthwise": {"ADD": 1, "DEPTHWISE_CONV_2D": 1},
    "and pointwise that do not grow": {"ADD": 1, "DEPTHWISE_CONV_2D": 1, "POINTWISE": 1},
    "and pointwise up to twice": {"ADD": 1, "DEPTHWISE_CONV_2D": 1, "POINTWISE": 2},
    "and all pointwise": {"ADD": 1, "DEPTHWISE_CONV_2D": 1, "POINTWISE": 6},
    "pointwise up to twice, first convolution": {"ADD": 1, "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "POINTWISE": 2},
}


def compare_in_place() -> pd.DataFrame:
    """How well each assumption of what is done in place explains the published RAM, each geometry left out of its fit.

    Columns: runtime, assumption, rows, mean_abs_percent_error, max_abs_percent_error, chosen (what params/models/memory.yaml
    says), evidence. The choice itself has seen all rows; some seconds.
    """
    rows = []
    for runtime in (runtime for runtime in load_memory_runtimes().values() if runtime.published):
        for name, growth in ASSUMPTIONS.items():
            held = _hold_out(replace(runtime, in_place=growth)).query("what == 'ram'")
            percent = (held["predicted_kib"] / held["published_kib"] - 1).abs() * 100
            rows.append({
                "runtime": held["runtime"].iloc[0], "assumption": name, "rows": len(held),
                "mean_abs_percent_error": percent.mean(), "max_abs_percent_error": percent.max(),
                "chosen": growth == runtime.in_place, "evidence": "modelled",
            })  # fmt: skip
    return pd.DataFrame(rows)


def memory_summary(validation: pd.DataFrame) -> pd.DataFrame:
    """By `what` and `runtime` (and over `all`): rows, mean_abs_percent_error, max_abs_percent_error, coverage, evidence."""
    every = pd.concat([validation, validation.assign(runtime="all")])
    error = every.assign(percent=every["relative_error"].abs() * 100).groupby(["what", "runtime"], sort=False)
    table = error.agg(
        rows=("percent", "size"),
        mean_abs_percent_error=("percent", "mean"),
        max_abs_percent_error=("percent", "max"),
        coverage=("covered", "mean"),
    )
    return table.reset_index().assign(evidence="modelled")
