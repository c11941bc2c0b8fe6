"""The same model in ONNX Runtime, for a comparison of outputs and times."""

from pathlib import Path

import numpy as np

from ..study.export_onnx import to_onnx
from ..study.onnx_run import open_onnx as open_session


def open_onnx(model: Path, threads: int = 1, timeout_s: float = 600):
    """A function (one input of the `.tflite` file `model`, without batch) -> its outputs (values,), run by ONNX Runtime.

    INT8 models become QuantizeLinear/DequantizeLinear pairs, which ONNX Runtime fuses into INT8 kernels again where it can.
    UserError when tf2onnx cannot convert the model, or it takes too long.
    """
    session = open_session(to_onnx([Path(model)], timeout_s)[0], threads, str(model))
    name = session.get_inputs()[0].name

    def infer(one: np.ndarray) -> np.ndarray:
        return session.run(None, {name: one[None]})[0].reshape(-1)

    return infer
