"""Latency and accuracy of .tflite models on this host, with LiteRT. No TensorFlow here."""

import contextlib
import os
import platform
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from ai_edge_litert.interpreter import Interpreter

from ..base.errors import UserError
from ..base.quiet import progress, quiet
from .data import Dataset
from .preprocessing import to_input


def host_platform() -> str:
    """The platform id of this machine: `x86_host`, or `<machine>_host` elsewhere."""
    machine = platform.machine()
    return "x86_host" if machine in ("x86_64", "AMD64") else f"{machine}_host"


def open_model(model: Path, threads: int = 1, batch: int = 1) -> Interpreter:
    """A ready interpreter (XNNPACK). UserError when the file is no usable .tflite."""
    content = model.read_bytes()
    if content[4:8] != b"TFL3":
        raise UserError(f"{model} is no .tflite file (its identifier is {content[4:8]!r}, not b'TFL3').")
    try:
        with quiet():
            interpreter = Interpreter(model_content=content, num_threads=threads)
            shape = interpreter.get_input_details()[0]["shape"]
            if batch != shape[0]:
                interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [batch, *shape[1:]])
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{model} cannot be opened by LiteRT ({str(error).splitlines()[0]}).") from error
    return interpreter


def quantize_input(x: np.ndarray, detail: dict) -> np.ndarray:
    """Float input -> the model's own input type, by its scale and zero point (a cast would give chance accuracy)."""
    if detail["dtype"] == np.float32:
        return x
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(x / scale) + zero_point, limits.min, limits.max).astype(detail["dtype"])


def predict_tflite(model: Path, images: np.ndarray, batch: int = 50, say: str = "predicting") -> np.ndarray:
    """Logits (N, classes), float32, of uint8 images (N, H, W, 3). `say` names a progress bar."""
    outputs, interpreter, opened = [], None, 0
    for start in progress(range(0, len(images), batch), say):
        part = images[start : start + batch]
        if len(part) != opened:
            interpreter, opened = open_model(model, threads=os.cpu_count() or 1, batch=len(part)), len(part)
            source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.set_tensor(source["index"], quantize_input(to_input(part, source["shape"][1]), source))
        interpreter.invoke()
        logits = interpreter.get_tensor(target["index"]).astype(np.float32)
        if target["dtype"] != np.float32:
            scale, zero_point = target["quantization"]
            logits = (logits - zero_point) * scale
        outputs.append(logits)
    return np.concatenate(outputs)


def wilson_interval(correct: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927).

    >>> [round(x, 4) for x in wilson_interval(90, 100)]
    [0.8256, 0.9448]
    """
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(centre - half), float(centre + half)


def measure_accuracy(model: Path, data: Dataset, say: str = "predicting") -> dict:
    """Accuracy on every test image, with its 95 % interval, as columns of variants.csv."""
    correct = int((predict_tflite(model, data.x_test, say=say).argmax(-1) == data.y_test).sum())
    low, high = wilson_interval(correct, len(data.y_test))
    return {"accuracy": correct / len(data.y_test), "accuracy_low": low, "accuracy_high": high,
            "accuracy_n": len(data.y_test), "dataset": data.name, "evidence": "measured"}  # fmt: skip


@contextlib.contextmanager
def pinned(threads: int):
    """Keep this process, and the threads it starts, on `threads` cores while the block runs (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, sorted(before)[:threads])
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure_latency(models: dict[str, Path], n_runs: int = 100, warm_up_runs: int = 10, threads: int = 1) -> pd.DataFrame:
    """Time each model at batch 1, interleaved so that a busy moment hits all of them alike.

    Returns a row a variant: latency_ms is the median, latency_ms_low and _high the 10th and 90th percentile,
    p99_ms the 99th.
    """
    with pinned(threads):
        interpreters = {name: open_model(path, threads) for name, path in models.items()}
        samples = {name: np.empty(n_runs) for name in models}
        rng = np.random.default_rng(0)
        for interpreter in interpreters.values():
            detail = interpreter.get_input_details()[0]
            noise = rng.uniform(-1, 1, detail["shape"]).astype(np.float32)
            interpreter.set_tensor(detail["index"], quantize_input(noise, detail))
        for run in progress(range(-warm_up_runs, n_runs), "timing"):
            for name, interpreter in interpreters.items():
                start = time.perf_counter()
                interpreter.invoke()
                if run >= 0:
                    samples[name][run] = 1e3 * (time.perf_counter() - start)
    runtime = f"LiteRT {metadata.version('ai-edge-litert')} + XNNPACK"
    common = {"platform": host_platform(), "runtime": runtime, "threads": threads, "n_runs": n_runs, "evidence": "measured"}
    quantiles = ("latency_ms_low", "latency_ms", "latency_ms_high", "p99_ms")
    rows = [
        {"variant": name, **dict(zip(quantiles, np.percentile(ms, (10, 50, 90, 99)), strict=True)), **common}
        for name, ms in samples.items()
    ]
    return pd.DataFrame(rows)
