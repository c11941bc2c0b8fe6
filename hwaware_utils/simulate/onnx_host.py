"""The same model in ONNX Runtime: converted by tf2onnx in a process of its own, since that loads TensorFlow."""

import sys
import tempfile
from pathlib import Path

import numpy as np

from ..base.errors import UserError
from ..base.processes import run
from .extras import require_packages

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
OPSET = 18


def open_onnx(model: Path, threads: int = 1, timeout_s: float = 300):
    """A function (one input of the `.tflite` file `model`, without batch) -> its outputs (values,), run by ONNX Runtime.

    INT8 models become QuantizeLinear/DequantizeLinear pairs, which ONNX Runtime fuses into INT8 kernels again.
    UserError when a package is missing, tf2onnx cannot convert the model, or it takes too long.
    """
    require_packages(*PACKAGES)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    content = _convert(Path(model), timeout_s)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class
        raise UserError(f"ONNX Runtime cannot open {model} ({' '.join(str(error).split())[:160]}).") from error
    name = session.get_inputs()[0].name

    def infer(one: np.ndarray) -> np.ndarray:
        return session.run(None, {name: one[None]})[0].reshape(-1)

    return infer


def _convert(model: Path, timeout_s: float) -> bytes:
    with tempfile.TemporaryDirectory(prefix="hwaware-onnx-") as folder:
        output = Path(folder) / "model.onnx"
        command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", model.resolve(), "--output", output]
        run([*command, "--opset", str(OPSET)], f"tf2onnx on {model.name}", timeout_s, cwd=folder)
        return output.read_bytes()
