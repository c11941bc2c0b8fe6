"""Models in ONNX Runtime: opened on the CPU, their predictions, and where their time goes."""

import json
import os
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import progress
from .benchmark import quantize_input
from .preprocessing import to_input

LAYOUT = ("Transpose", "ReorderInput", "ReorderOutput")  # operators that only move values


def runtime_name() -> str:
    return f"ONNX Runtime {metadata.version('onnxruntime')}"


def open_onnx(
    content: bytes, threads: int = 1, what: str = "the .onnx file", profile: str = ""
) -> onnxruntime.InferenceSession:
    """An onnxruntime.InferenceSession on the CPU; `profile` begins the name of its profile. UserError naming `what` when
    ONNX Runtime cannot open it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class
        raise UserError(f"ONNX Runtime cannot open {what} ({' '.join(str(error).split())[:160]}).") from error


def predict_onnx(content: bytes, images: np.ndarray, scale: dict | None = None, say: str = "predicting") -> np.ndarray:
    """Outputs (N, classes), float32, of uint8 images (N, H, W, 3) at batch 1.

    `scale` (dtype, quantization: scale and zero point) is how an INT8 input wants its values. An INT8 output is given as
    it is: its argmax is that of the logits.
    """
    session = open_onnx(content, os.cpu_count() or 1)
    source = session.get_inputs()[0]
    outputs = []
    for start in progress(range(0, len(images), 50), say):
        for x in to_input(images[start : start + 50], source.shape[1]):
            fed = x if scale is None else quantize_input(x, scale)
            outputs.append(session.run(None, {source.name: fed[None]})[0].reshape(-1))
    return np.stack(outputs).astype(np.float32)


def noise_input(session: onnxruntime.InferenceSession, scale: dict | None = None) -> dict[str, np.ndarray]:
    """Fixed noise in [-1, 1] as the session's input."""
    source = session.get_inputs()[0]
    noise = np.random.default_rng(0).uniform(-1, 1, source.shape).astype(np.float32)
    return {source.name: noise if scale is None else quantize_input(noise, scale)}


def profile_onnx(content: bytes, scale: dict | None = None, n_runs: int = 50, warm_up_runs: int = 10) -> pd.DataFrame:
    """Where one inference spends its time: a row an operator type as ONNX Runtime executes it, slowest first.

    Columns: operator, count, latency_ms (mean of a run), share, moves_only (it only
    changes the layout), evidence. The profiler itself costs time: trust shares.
    """
    with tempfile.TemporaryDirectory(prefix="hwaware-onnx-") as folder:
        session = open_onnx(content, profile=str(Path(folder) / "profile"))
        x = noise_input(session, scale)
        for _ in range(warm_up_runs + n_runs):
            session.run(None, x)
        events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    frame = pd.DataFrame({"operator": [e["args"]["op_name"] for e in kernels], "us": [e["dur"] for e in kernels]})
    frame = frame.iloc[len(frame) * warm_up_runs // (warm_up_runs + n_runs) :]
    sums = frame.groupby("operator")["us"].agg(["sum", "size"]).sort_values("sum", ascending=False).reset_index()
    total = sums["sum"].sum()
    return pd.DataFrame(
        {
            "operator": sums["operator"],
            "count": sums["size"] // n_runs,
            "latency_ms": sums["sum"] / n_runs / 1e3,
            "share": sums["sum"] / total,
            "moves_only": sums["operator"].isin(LAYOUT),
            "evidence": "measured",
        }
    )
