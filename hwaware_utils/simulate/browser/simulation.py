"""A model file in LiteRT.js: WebAssembly gives a latency, WebGPU what it asks of a GPU, both their outputs.

WebAssembly runs on this host's CPU, so its latency is measured. Without a graphics driver Chromium's WebGPU is a
software adapter: its speed says nothing about a GPU and is not taken at all; dispatches, uploads and outputs are real.
LiteRT.js expands INT8 weights to float for WebGPU: that is no INT8 execution.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...base.errors import UserError
from ...study.benchmark import host_platform
from ...workload import load_workload
from ..comparison import check_inputs, compare_outputs, host_outputs, random_inputs
from ..summary import summary_row
from . import page
from .litertjs import litertjs_version

ACCELERATORS = {"wasm": "WebAssembly", "webgpu": "WebGPU"}
NO_ADAPTER = "Chromium offers no WebGPU adapter on this machine: ask for accelerators=('wasm',), or start it where it has one."


@dataclass(frozen=True)
class BrowserRun:
    """`summary`: a row of simulations.csv for each accelerator. `outputs`: accelerator -> (n, values), the model's type.

    `latency`: one row for WebAssembly as in latency.csv (n_runs and p99_ms added), empty if it was not asked for.
    `webgpu`: one row, empty likewise: adapter, software_adapter, fully_accelerated (every operator on WebGPU), operators of
    the model, dispatches of one inference (fewer: some operators are fused), and shaders, pipelines and uploaded_bytes
    of setting up, its first inference included.
    """

    summary: pd.DataFrame
    latency: pd.DataFrame
    webgpu: pd.DataFrame
    outputs: dict[str, np.ndarray]


def simulate(
    model: Path,
    inputs: np.ndarray | None = None,
    accelerators: tuple[str, ...] = tuple(ACCELERATORS),
    n_runs: int = 50,
    warm_up_runs: int = 10,
    timeout_s: float = 180,
    variant: str = "",
) -> BrowserRun:
    """Run the `.tflite` file `model` in the browser on `inputs` (n, H, W, C; its own input type; default 4 random ones).

    `variant` names it in the tables (default: the file's name). UserError in one sentence for a missing tool, a missing
    or damaged model, unfit inputs, no WebGPU adapter, a model that LiteRT.js cannot run, a time-out.
    """
    model, variant = Path(model), variant or Path(model).stem
    if not accelerators or set(accelerators) - set(ACCELERATORS):
        raise UserError(f"accelerators = {accelerators!r}: give one or both of {', '.join(ACCELERATORS)}.")
    inputs = random_inputs(model, 4) if inputs is None else check_inputs(model, inputs)
    expected = host_outputs(model, inputs)
    outputs, rows, latency, webgpu = {}, [], pd.DataFrame(), pd.DataFrame()
    for name in accelerators:
        answer = _ask(model, inputs, name, *((n_runs, warm_up_runs) if name == "wasm" else (0, 0)), timeout_s)
        runtime = f"LiteRT.js {litertjs_version()} {ACCELERATORS[name]} in Chromium {_chromium(answer)}"
        outputs[name] = np.asarray(answer["outputs"]).astype(expected.dtype)
        row = {"variant": variant, "platform": host_platform(), "simulator": runtime, "evidence": "simulated"}
        if name == "wasm":
            latency = _latency(variant, answer["latency_ms"], runtime)
            row |= {**latency.loc[0, ["latency_ms_low", "latency_ms_high"]], "evidence": "measured"}
        else:
            webgpu = _webgpu(variant, answer, len(load_workload(model)))
        rows.append(summary_row(**row, **compare_outputs(outputs[name], expected)))
    return BrowserRun(pd.concat(rows, ignore_index=True), latency, webgpu, outputs)


def _ask(model: Path, inputs: np.ndarray, accelerator: str, n_runs: int, warm_up_runs: int, timeout_s: float) -> dict:
    job = {"accelerator": accelerator, "n_runs": n_runs, "warm_up_runs": warm_up_runs}
    job |= {"dtype": inputs.dtype.name, "shape": [1, *inputs.shape[1:]]}
    contents = {
        "/job.json": json.dumps(job).encode(),
        "/model.tflite": model.read_bytes(),
        "/inputs.bin": inputs.astype(inputs.dtype.newbyteorder("<")).tobytes(),
    }
    answer = page.run_page(contents, timeout_s, page.WEBGPU_FLAGS if accelerator == "webgpu" else [])
    if accelerator == "webgpu" and not answer["adapter"]:
        raise UserError(NO_ADAPTER)
    return answer


def _chromium(answer: dict) -> str:
    found = re.search(r"Chrome/(\d+)", answer["user_agent"])
    return found[1] if found else "of unknown version"


def _latency(variant: str, samples: list[float], runtime: str) -> pd.DataFrame:
    low, median, high, p99 = np.percentile(samples, (10, 50, 90, 99))
    row = {"variant": variant, "platform": host_platform(), "runtime": runtime, "threads": 1, "latency_ms": median}
    row |= {"latency_ms_low": low, "latency_ms_high": high, "p99_ms": p99, "n_runs": len(samples), "evidence": "measured"}
    return pd.DataFrame([row])


def _webgpu(variant: str, answer: dict, operators: int) -> pd.DataFrame:
    if answer["gpu_errors"]:
        raise UserError(f"WebGPU refused a command of LiteRT.js ({' '.join(answer['gpu_errors'][0].split())[:200]}).")
    adapter, setup = answer["adapter"], answer["setup"]
    row = {"variant": variant, "adapter": f"{adapter['vendor']} {adapter['architecture']}".strip()}
    row |= {"software_adapter": bool(adapter["software"]), "fully_accelerated": answer["fully_accelerated"]}
    row |= {"operators": operators, "dispatches": answer["inference"]["dispatches"]}
    row |= {name: setup[name] for name in ("shaders", "pipelines", "uploaded_bytes")}
    return pd.DataFrame([row | {"evidence": "simulated"}])
