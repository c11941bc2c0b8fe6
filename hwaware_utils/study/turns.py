"""Functions timed in turns on one core, so that a busy moment hits all of them alike."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from ..base.quiet import progress
from .benchmark import host_platform, pinned

QUANTILES = {"latency_ms_low": 10, "latency_ms": 50, "latency_ms_high": 90, "p99_ms": 99}


def time_in_turns(functions: dict[str, Callable[[], object]], n_runs: int, warm_up_runs: int = 10) -> pd.DataFrame:
    """A row a function, in order: variant (its name), latency_ms (median), latency_ms_low and _high (10th and 90th
    percentile), p99_ms, platform, threads, n_runs, evidence."""
    samples = {name: np.empty(n_runs) for name in functions}
    with pinned(1):
        for run in progress(range(-warm_up_runs, n_runs), "timing"):
            for name, function in functions.items():
                start = time.perf_counter()
                function()
                if run >= 0:
                    samples[name][run] = 1e3 * (time.perf_counter() - start)
    common = {"platform": host_platform(), "threads": 1, "n_runs": n_runs, "evidence": "measured"}
    return pd.DataFrame(
        [
            {"variant": name, **{column: float(np.percentile(ms, q)) for column, q in QUANTILES.items()}, **common}
            for name, ms in samples.items()
        ]
    )
