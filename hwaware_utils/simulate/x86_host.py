"""The model on this host's own CPU, one core: LiteRT, operator by operator, and ONNX Runtime beside it.

Nothing is simulated here: these are the measured rows to which the simulated ones are compared.
"""

from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..study.benchmark import host_platform, open_model
from ..study.turns import QUANTILES, time_in_turns
from .comparison import check_inputs, compare_outputs, host_outputs, random_inputs
from .litert_profile import profile_operators
from .onnx_host import open_onnx
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


def simulate(
    model: Path,
    inputs: np.ndarray | None = None,
    runtimes: tuple[str, ...] = RUNTIMES,
    n_runs: int = 200,
    warm_up_runs: int = 20,
    variant: str = "",
) -> HostRun:
    """Time the `.tflite` file `model` at batch 1 on one core, and compare outputs on `inputs` (default 4 random ones).

    UserError in one sentence for a missing or damaged model, unfit inputs, a model that a runtime cannot take.
    """
    model, variant = Path(model), variant or Path(model).stem
    if not runtimes or set(runtimes) - set(RUNTIMES) or n_runs < 1:
        raise UserError(
            f"runtimes = {runtimes!r}, n_runs = {n_runs}: give one or both of {', '.join(RUNTIMES)}, 1 run or more."
        )
    inputs = random_inputs(model, 4) if inputs is None else check_inputs(model, inputs)
    infer = {name: _litert(model) if name == "litert" else open_onnx(model) for name in runtimes}
    timing = time_in_turns({name: partial(infer[name], inputs[0]) for name in runtimes}, n_runs, warm_up_runs)
    rows, latency = [], []
    for name in runtimes:
        row = {"variant": variant, "platform": host_platform(), "evidence": "measured"}
        quantiles = timing.set_index("variant").loc[name, list(QUANTILES)].to_dict()
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
