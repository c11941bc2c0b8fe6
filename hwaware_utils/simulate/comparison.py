"""The same inputs for every simulator, and its outputs beside those of LiteRT on this host, bit by bit."""

from pathlib import Path

import numpy as np

from ..base.errors import UserError
from ..base.quiet import quiet
from ..study.benchmark import open_model, quantize_input
from ..study.preprocessing import to_input
from ..tflite_file import read_model


def random_inputs(model: Path, n: int, seed: int = 0) -> np.ndarray:
    """(n, *input shape without the batch) in the model's own input type: uniform in [-1, 1), as preprocessing leaves images.

    UserError when the file is missing or damaged, or the model has not exactly one input and one output.
    """
    read_model(model)  # told in a sentence; native code might crash on a damaged file
    interpreter = open_model(Path(model))
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise UserError(f"{model} has {len(inputs)} inputs and {len(outputs)} outputs: a model with one of each is needed.")
    values = np.random.default_rng(seed).uniform(-1, 1, (n, *inputs[0]["shape"][1:])).astype(np.float32)
    return quantize_input(values, inputs[0])


def image_inputs(model: Path, images: np.ndarray) -> np.ndarray:
    """uint8 images (n, H, W, 3) as the model's input: resized, scaled to [-1, 1], quantised where it takes integers."""
    read_model(model)
    detail = open_model(Path(model)).get_input_details()[0]
    return quantize_input(to_input(images, int(detail["shape"][1])), detail)


def check_inputs(model: Path, inputs: np.ndarray) -> np.ndarray:
    """`inputs` as they are, if the model takes them one by one. UserError otherwise."""
    read_model(model)
    detail = open_model(Path(model)).get_input_details()[0]
    expected = (tuple(int(d) for d in detail["shape"][1:]), np.dtype(detail["dtype"]))
    if not len(inputs) or (inputs.shape[1:], inputs.dtype) != expected:
        raise UserError(
            f"inputs of shape {inputs.shape} and type {inputs.dtype} do not fit {model}: "
            f"give one or more of shape {expected[0]} and type {expected[1]}."
        )
    return inputs


def host_outputs(model: Path, inputs: np.ndarray) -> np.ndarray:
    """Outputs (n, values) of LiteRT (XNNPACK) on this host, in the model's own type; inputs as `random_inputs` gives them."""
    interpreter = open_model(Path(model))
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    try:
        with quiet():
            for one in inputs:
                interpreter.set_tensor(source["index"], one[None])
                interpreter.invoke()
                outputs.append(interpreter.get_tensor(target["index"]).reshape(-1))
    except (RuntimeError, ValueError) as error:  # a graph that contradicts itself
        raise UserError(f"{model} cannot be run by LiteRT ({str(error).splitlines()[0][:120]}): convert it again.") from error
    return np.stack(outputs)


def compare_outputs(outputs: np.ndarray, expected: np.ndarray) -> dict:
    """`outputs_compared`, `outputs_bit_exact` (whole outputs, one an input) and `max_abs_diff` of two (n, values) arrays.

    >>> compare_outputs(np.array([[1, 2], [3, 4]], np.int8), np.array([[1, 2], [3, 7]], np.int8))
    {'outputs_compared': 2, 'outputs_bit_exact': 1, 'max_abs_diff': 3.0}
    """
    if outputs.shape != expected.shape or outputs.dtype != expected.dtype:
        raise ValueError(f"{outputs.dtype} outputs {outputs.shape} beside {expected.dtype} {expected.shape}")
    same = [one.tobytes() == other.tobytes() for one, other in zip(outputs, expected, strict=True)]
    diff = np.abs(outputs.astype(np.float64) - expected.astype(np.float64)).max()
    return {"outputs_compared": len(same), "outputs_bit_exact": sum(same), "max_abs_diff": float(diff)}
