"""Bias correction: give back the mean that rounding a layer's weights to 8 bits takes away.

Rounding turns weights W into W - E and so shifts the mean output of a layer by -E * mean(input). The shift is
measured on calibration images and added to the layer's bias (Nagel et al. 2019, "Data-Free Quantization Through
Weight Equalization and Bias Correction", section 4.2).
"""

import copy
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from ..base.quiet import progress, quiet
from ..tflite_file import read_model
from ..tflite_write import write_model

LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
INPUT, WEIGHTS, BIAS = range(3)  # the operands of each of them


def correct_biases(fp32: Path, inputs: np.ndarray) -> bytes:
    """The FP32 .tflite `fp32` with biases corrected for 8-bit weights; `inputs` is float32 (N, H, W, 3)."""
    return with_biases(fp32, corrected_biases(fp32, inputs))


def corrected_biases(fp32: Path, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Tensor number (as text) -> corrected bias, float32."""
    # Without delegates: only the plain kernels keep the tensors between the layers
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with quiet():
        interpreter = Interpreter(str(fp32), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
        interpreter.allocate_tensors()
    layers = [operator for operator in interpreter._get_ops_details() if operator["op_name"] in LAYERS]
    layers = [layer for layer in layers if layer["inputs"][BIAS] >= 0]  # -1: the converter dropped a bias of zeros
    means = _mean_inputs(interpreter, [layer["inputs"][INPUT] for layer in layers], inputs)
    biases = {}
    for layer in layers:
        source, weights, bias = (layer["inputs"][operand] for operand in (INPUT, WEIGHTS, BIAS))
        lost = mean_loss(interpreter.get_tensor(weights), means[source], layer["op_name"] == "DEPTHWISE_CONV_2D")
        biases[str(bias)] = (interpreter.get_tensor(bias) + lost).astype("<f4")
    return biases


def with_biases(fp32: Path, biases: dict[str, np.ndarray]) -> bytes:
    """The .tflite with these tensors replaced."""
    model = copy.deepcopy(read_model(fp32))  # what it returns is shared
    for bias, values in biases.items():
        model.buffers[model.subgraphs[0].tensors[int(bias)].buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return write_model(model)


def mean_loss(weights: np.ndarray, mean_input: np.ndarray, depthwise: bool) -> np.ndarray:
    """What rounding takes from the mean of each output channel: sum over the kernel of error x mean input channel.

    Weights as TFLite stores them: (out, h, w, in), (1, h, w, channels) or (out, in). Rounding is symmetric, one scale
    a channel.

    >>> float(mean_loss(np.array([[127.0, 0.4]]), np.array([1.0, 10.0]), False)[0])  # 0.4 is rounded to 0
    4.0
    """
    channels = np.moveaxis(weights, -1, 0) if depthwise else weights
    scale = np.abs(channels).reshape(len(channels), -1).max(axis=1) / 127
    scale = np.where(scale == 0, 1, scale).reshape(-1, *[1] * (channels.ndim - 1))
    error = channels - np.round(channels / scale) * scale
    if depthwise:
        return error.reshape(len(channels), -1).sum(axis=1) * mean_input
    return error.reshape(len(channels), -1, channels.shape[-1]).sum(axis=1) @ mean_input


def _mean_inputs(interpreter, tensors: list[int], inputs: np.ndarray) -> dict[int, np.ndarray]:
    """Mean of each channel of each tensor over all inputs and places."""
    sums = dict.fromkeys(tensors, 0.0)
    place = interpreter.get_input_details()[0]["index"]
    for x in progress(inputs, "mean inputs"):
        interpreter.set_tensor(place, x[None])
        interpreter.invoke()
        for tensor in sums:
            values = interpreter.get_tensor(tensor)
            sums[tensor] = sums[tensor] + values.reshape(-1, values.shape[-1]).mean(axis=0)
    return {tensor: total / len(inputs) for tensor, total in sums.items()}
