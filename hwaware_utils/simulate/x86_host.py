"""The model on this host's own CPU, one core: LiteRT, operator by operator, and ONNX Runtime beside it.

Nothing is simulated here: these are the measured rows to which the simulated ones are compared.
"""

import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import quiet
from ..study.benchmark import host_platform, open_model, pinned
from .comparison import check_inputs, compare_outputs, host_outputs, random_inputs
from .extras import install_packages
from .litert_profile import profile_operators
from .onnx_host import PACKAGES, open_onnx
from .summary import summary_row

RUNTIMES = ("litert", "onnxruntime")


@dataclass(frozen=True)
class HostRun:
    """`summary`: a row of simulations.csv for each runtime; outputs are compared with LiteRT's (LiteRT's own: missing).

    `latency`: a row for each runtime as in latency.csv, n_runs and p99_ms added; timed in turns, so that a busy moment
    hits both. `operators`: LiteRT's profile (`litert_profile.profile_operators`).
    """

    summary: pd.DataFrame
    latency: pd.DataFrame
    operators: pd.DataFrame


def set_up_x86_host(say=print) -> None:
    """Install onnx, onnxruntime and tf2onnx (pip, 60 MB). UserError when that fails. LiteRT is there already."""
    install_packages(*PACKAGES, say=say)


def simulate(
    model: Path,
    inputs: np.ndarray | None = None,
    runtimes: tuple[str, ...] = RUNTIMES,
    n_runs: int = 200,
    warm_up_runs: int = 20,
    variant: str = "",
) -> HostRun:
    """Time the `.tflite` file `model` at batch 1 on one core, and compare outputs on `inputs` (default 4 random ones).

    UserError in one sentence for a missing tool, a missing or damaged model, unfit inputs, a model that a runtime
    cannot take.
    """
    model, variant = Path(model), variant or Path(model).stem
    if not runtimes or set(runtimes) - set(RUNTIMES) or n_runs < 1:
        raise UserError(
            f"runtimes = {runtimes!r}, n_runs = {n_runs}: give one or both of {', '.join(RUNTIMES)}, 1 run or more."
        )
    inputs = random_inputs(model, 4) if inputs is None else check_inputs(model, inputs)
    infer = {name: _litert(model) if name == "litert" else open_onnx(model) for name in runtimes}
    samples = _time(infer, inputs[0], n_runs, warm_up_runs)
    rows, latency = [], []
    for name in runtimes:
        row = {"variant": variant, "platform": host_platform(), "evidence": "measured"}
        quantiles = dict(zip(("latency_ms_low", "latency_ms", "latency_ms_high", "p99_ms"), samples[name], strict=True))
        latency.append({**row, "runtime": _title(name), "threads": 1, **quantiles, "n_runs": n_runs})
        if name == "onnxruntime":
            row |= compare_outputs(np.stack([infer[name](one) for one in inputs]), host_outputs(model, inputs))
        row |= {end: quantiles[end] for end in ("latency_ms_low", "latency_ms_high")}
        rows.append(summary_row(simulator=_title(name), **row))
    operators = profile_operators(model, n_runs, warm_up_runs) if "litert" in runtimes else pd.DataFrame()
    return HostRun(pd.concat(rows, ignore_index=True), pd.DataFrame(latency), operators)


def _title(runtime: str) -> str:
    package, name = {"litert": ("ai-edge-litert", "LiteRT"), "onnxruntime": ("onnxruntime", "ONNX Runtime")}[runtime]
    return f"{name} {metadata.version(package)}" + (" + XNNPACK" if runtime == "litert" else "")


def _litert(model: Path):
    interpreter = open_model(model)
    source = interpreter.get_input_details()[0]["index"]

    def infer(one: np.ndarray) -> None:
        interpreter.set_tensor(source, one[None])
        interpreter.invoke()

    return infer


def _time(infer: dict, one: np.ndarray, n_runs: int, warm_up_runs: int) -> dict[str, np.ndarray]:
    """10th, 50th, 90th and 99th percentile in ms of each function, called in turns on one core."""
    samples = {name: np.empty(n_runs) for name in infer}
    with quiet(), pinned(1):
        for run in range(-warm_up_runs, n_runs):
            for name, function in infer.items():
                start = time.perf_counter()
                function(one)
                if run >= 0:
                    samples[name][run] = 1e3 * (time.perf_counter() - start)
    return {name: np.percentile(ms, (10, 50, 90, 99)) for name, ms in samples.items()}
