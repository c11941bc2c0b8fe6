"""Throughput by batch size, and the memory of one inference, of .tflite models on this host. No TensorFlow here."""

import json
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import progress
from .benchmark import host_platform, open_model, pinned, quantize_input

BATCHES = (1, 2, 4, 8, 16, 32, 64)


def measure_throughput(model: Path, batches=BATCHES, threads: int = 1, n_runs: int = 30, warm_up_runs: int = 3) -> pd.DataFrame:
    """Time `model` at each batch size, interleaved so that a busy moment hits all of them alike.

    Returns a row a batch: latency_ms is the median of a whole batch, latency_ms_low and _high the 10th and 90th
    percentile; images_per_s = 1000 x batch / latency_ms, its _low from the high latency. UserError for a batch below 1
    and for a file that is no .tflite.
    """
    if not batches or min(batches) < 1 or n_runs < 1:
        raise UserError(f"batches {tuple(batches)} and n_runs {n_runs}: each must be 1 or more.")
    rng = np.random.default_rng(0)
    samples = {batch: np.empty(n_runs) for batch in batches}
    with pinned(threads):
        interpreters = {batch: open_model(model, threads, batch) for batch in samples}
        for interpreter in interpreters.values():
            detail = interpreter.get_input_details()[0]
            noise = rng.uniform(-1, 1, detail["shape"]).astype(np.float32)
            interpreter.set_tensor(detail["index"], quantize_input(noise, detail))
        for run in progress(range(-warm_up_runs, n_runs), "throughput"):
            for batch, interpreter in interpreters.items():
                start = time.perf_counter()
                interpreter.invoke()
                if run >= 0:
                    samples[batch][run] = 1e3 * (time.perf_counter() - start)
    rows = []
    for batch, ms in samples.items():
        low, median, high = (float(value) for value in np.percentile(ms, (10, 50, 90)))
        rates = {"images_per_s": 1e3 * batch / median, "images_per_s_low": 1e3 * batch / high}
        times = {"latency_ms": median, "latency_ms_low": low, "latency_ms_high": high}
        rows.append({"batch": batch, **times, **rates, "images_per_s_high": 1e3 * batch / low})
    common = {"platform": host_platform(), "runtime": _runtime(), "threads": threads, "n_runs": n_runs}
    return pd.DataFrame(rows).assign(**common, evidence="measured")


# Imports no more than LiteRT. VmHWM is the largest memory that a process ever had; ru_maxrss, where there is no /proc,
# counts KiB (bytes on macOS).
_CHILD = """
import json, resource, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
path, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

before = peak_bytes()
model = Interpreter(path, num_threads=threads)
detail = model.get_input_details()[0]
model.resize_tensor_input(detail["index"], [batch, *detail["shape"][1:]])
model.allocate_tensors()
model.set_tensor(detail["index"], np.zeros([batch, *detail["shape"][1:]], detail["dtype"]))
model.invoke()
print(json.dumps([before, peak_bytes()]))
"""


def measure_inference_memory(model: Path, batch: int = 1, threads: int = 1, repeats: int = 3) -> dict:
    """Peak memory of one inference at this batch size, each time in a fresh process that imports LiteRT alone.

    Returns batch, peak_mib (median growth of the process's peak above the imported interpreter: weights, activations,
    the runtime's copies, the caller's input), peak_mib_low and _high (least and most of `repeats`), process_mib (median
    of the whole process), size_bytes (the file), threads, n_runs, runtime, evidence. UserError when LiteRT cannot run it.
    """
    if batch < 1 or repeats < 1:
        raise UserError(f"batch {batch} and repeats {repeats}: each must be 1 or more.")
    open_model(model)  # the clear sentence, if the file is damaged
    command = [sys.executable, "-c", _CHILD, str(Path(model).absolute()), str(batch), str(threads)]
    peaks = []
    for _ in range(repeats):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise UserError(f"{model.name} cannot run at batch {batch} in a fresh process ({last[:120]}): use a smaller batch.")
        peaks.append(json.loads(done.stdout))
    whole = np.array(peaks, dtype=float) / 2**20
    growth = whole[:, 1] - whole[:, 0]
    mib = {"peak_mib": np.median(growth), "peak_mib_low": growth.min(), "peak_mib_high": growth.max()}
    mib |= {"process_mib": np.median(whole[:, 1])}
    facts = {"size_bytes": model.stat().st_size, "threads": threads, "n_runs": repeats, "runtime": _runtime()}
    return {"batch": batch, **{name: float(value) for name, value in mib.items()}, **facts, "evidence": "measured"}


def _runtime() -> str:
    return f"LiteRT {metadata.version('ai-edge-litert')} + XNNPACK"
