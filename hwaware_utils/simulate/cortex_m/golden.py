"""The logits that TFLite-Micro itself computes (the wheel `tflite-micro`): what the firmware must equal, bit for bit."""

from pathlib import Path

import numpy as np

from ...base.errors import UserError
from ...tflite_file import read_model
from ...tflite_write import write_model
from .build import require
from .network import read_network


def reference_logits(model: Path, images: np.ndarray) -> np.ndarray:
    """(n, values) int8 logits of int8 `images` (n, H, W, C). A final SOFTMAX is cut off first.

    UserError if the wheel is missing, or for a model that `read_network` refuses (TFLite-Micro would end the process).
    """
    require("tflite-micro")
    from tflite_micro.python.tflite_micro import runtime

    logits = []
    try:
        interpreter = runtime.Interpreter.from_bytes(_without_softmax(Path(model)))
        for image in images:
            interpreter.set_input(image[None], 0)
            interpreter.invoke()
            logits.append(np.array(interpreter.get_output(0)).reshape(-1))
    except (RuntimeError, ValueError) as error:
        told = " ".join(str(error).split())[:120]
        raise UserError(f"{model} cannot be run by TFLite-Micro ({told}): convert it again.") from error
    return np.stack(logits)


def _without_softmax(path: Path) -> bytes:
    output = read_network(path).output
    content = path.read_bytes()
    if output == int(read_model(path).subgraphs[0].outputs[0]):
        return content
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    produced = next(k for k, operator in enumerate(graph.operators) if output in operator.outputs)
    graph.operators, graph.outputs = graph.operators[: produced + 1], [output]
    model.signatureDefs = []
    return write_model(model)
