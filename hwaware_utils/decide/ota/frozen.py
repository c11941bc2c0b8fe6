"""New weights in an INT8 file with all its scales left as they are: an update that changes few bytes."""

from pathlib import Path

import numpy as np

from ...base.errors import UserError
from ...tflite_file import DTYPES, OPERATORS, read_model
from .layout import segments

LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def quantize_frozen(base: Path, fp32: Path, inputs: np.ndarray) -> bytes:
    """The INT8 file `base` with the weights and biases of `fp32`, rounded to the base's own scales; nothing else changes.

    Biases give back the mean that rounding takes (as `study.bias_correction`, with these scales); `inputs` (N, H, W, 3),
    float32, measure it. UserError when the layers of the two files differ in number or shape.
    """
    from ...study.float_layers import FloatModel, channel_statistics, output_channels

    network, content = FloatModel(fp32), bytearray(base.read_bytes())
    layers = _int8_layers(base)
    if len(layers) != len(network.layers):
        raise UserError(f"{base.name} has {len(layers)} INT8 layers and {fp32.name} {len(network.layers)}: give one network.")
    means = channel_statistics(fp32, inputs)[0]
    places = {s.key[1]: s for s in segments(bytes(content)) if s.key[0] == "constant"}

    def write(tensor, values: np.ndarray, dtype: str) -> None:
        place, raw = places[tensor.name.decode()], values.astype(dtype).tobytes()
        if len(raw) != place.length:
            raise UserError(
                f"{tensor.name.decode()!r} has {place.length} bytes, {fp32.name} gives {len(raw)}: give one network."
            )
        content[place.offset : place.offset + place.length] = raw

    for (weights, bias), layer in zip(layers, network.layers, strict=True):
        channels = output_channels(network[layer.weights], layer.depthwise)
        scale = np.asarray(weights.quantization.scale, np.float64).reshape(-1, *[1] * (channels.ndim - 1))
        rounded = np.clip(np.round(channels / scale), -127, 127)
        write(weights, np.moveaxis(rounded, 0, -1) if layer.depthwise else rounded, "<i1")
        if bias is not None and layer.bias >= 0:
            lost = _mean_loss(channels - rounded * scale, means[layer.source], layer.depthwise)
            exact = (network[layer.bias] + lost) / np.asarray(bias.quantization.scale, np.float64)
            write(bias, np.clip(np.round(exact), -(2**31), 2**31 - 1), "<i4")
    return bytes(content)


def _mean_loss(error: np.ndarray, mean_input: np.ndarray, depthwise: bool) -> np.ndarray:
    """What rounding takes from the mean of each output channel; `error` has the output channels first."""
    if depthwise:
        return error.reshape(len(error), -1).sum(axis=1) * mean_input
    return error.reshape(len(error), -1, error.shape[-1]).sum(axis=1) @ mean_input


def _int8_layers(path: Path) -> list[tuple]:
    """(weights, bias or None) tensors of every layer with INT8 weights, in the order of execution."""
    model = read_model(path)
    graph, found = model.subgraphs[0], []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode)) in LAYERS:
            weights, bias = (graph.tensors[i] if i >= 0 else None for i in [*operator.inputs, -1][1:3])
            if DTYPES[weights.type] != "INT8":
                raise UserError(f"{path.name} holds {DTYPES[weights.type]} weights: give the INT8 file that is in the field.")
            found.append((weights, bias))
    return found
