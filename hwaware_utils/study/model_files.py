"""Model files of two runtimes behind one face: predictions, accuracy and latency of a .tflite and of an .onnx."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.quiet import progress
from .benchmark import open_model, predict_tflite, quantize_input, wilson_interval
from .onnx_run import noise_input, open_onnx, predict_onnx, runtime_name
from .turns import time_in_turns


@dataclass(frozen=True)
class ModelFile:
    """`variant` names it, `made_by` is the tool; `scale` is how an .onnx with an INT8 input wants its values."""

    variant: str
    precision: str  # fp32 or int8
    file_type: str  # tflite or onnx
    made_by: str
    content: bytes
    scale: dict | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def describe(files: list[ModelFile]) -> pd.DataFrame:
    """A row a file: variant, precision, file_type, made_by, size_bytes, file_sha256."""
    names = ("variant", "precision", "file_type", "made_by")
    return pd.DataFrame(
        [{**{name: getattr(f, name) for name in names}, "size_bytes": len(f.content), "file_sha256": f.sha256} for f in files]
    )


def predict(file: ModelFile, images: np.ndarray) -> np.ndarray:
    """The class of each of uint8 `images` (N, H, W, 3): (N,)."""
    if file.file_type == "onnx":
        return predict_onnx(file.content, images, file.scale, f"testing {file.variant}").argmax(-1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(file.content)
        return predict_tflite(path, images, say=f"testing {file.variant}").argmax(-1)


def measure_accuracy(files: list[ModelFile], images: np.ndarray, labels: np.ndarray, reference: ModelFile) -> pd.DataFrame:
    """A row a file: accuracy with its 95 % interval, accuracy_n, and agreement (share of images on which it and the file
    `reference` name the same class)."""
    expected, n = predict(reference, images), len(images)
    rows = []
    for file in progress(files, "testing"):
        predicted = expected if file is reference else predict(file, images)
        correct = int((predicted == labels).sum())
        low, high = wilson_interval(correct, n)
        share = {"accuracy": correct / n, "accuracy_low": low, "accuracy_high": high, "accuracy_n": n}
        rows.append({**share, "agreement": float((predicted == expected).mean())})
    return pd.DataFrame(rows)


def measure_latency(files: list[ModelFile], n_runs: int, warm_up_runs: int) -> pd.DataFrame:
    """`turns.time_in_turns` of all files at batch 1 on one core, the same noise as input, and the column `runtime`."""
    table = time_in_turns({str(k): runner(file) for k, file in enumerate(files)}, n_runs, warm_up_runs)
    return table.assign(variant=[f.variant for f in files], runtime=[runtime(f) for f in files])


def runtime(file: ModelFile) -> str:
    return runtime_name() if file.file_type == "onnx" else f"LiteRT {metadata.version('ai-edge-litert')} + XNNPACK"


def runner(file: ModelFile) -> Callable[[], object]:
    """One inference on fixed noise in [-1, 1], its input handed over each time, as both runtimes are used."""
    if file.file_type == "onnx":
        session = open_onnx(file.content, what=file.variant)
        feed = noise_input(session, file.scale)
        return lambda: session.run(None, feed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(file.content)
        interpreter = open_model(path)
    detail = interpreter.get_input_details()[0]
    x = quantize_input(np.random.default_rng(0).uniform(-1, 1, detail["shape"]).astype(np.float32), detail)

    def infer():
        interpreter.set_tensor(detail["index"], x)
        interpreter.invoke()

    return infer
