"""An INT8 `.tflite` read as a list of layers with integer parameters: all that the generated C needs to know."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from ...base.errors import UserError
from ...tflite_file import DAMAGE, DTYPES, damaged, ids, read_model
from ...workload import load_workload
from .graph import Graph, not_int8
from .multipliers import (
    Multiplier,
    activation_range,
    add_multipliers,
    channel_multipliers,
    mean_multiplier,
    quantize_multiplier,
)

_ACTIVATIONS = {v: k for k, v in vars(schema.ActivationFunctionType).items() if isinstance(v, int)}
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
SUPPORTED = (*CONVOLUTIONS, "ADD", "MEAN", "PAD", "QUANTIZE", "RESHAPE", "SOFTMAX")


@dataclass
class Layer:
    """One operator. `inputs` and `output` are tensor ids; `index` is the operator's place in the .tflite graph.

    `weights` int8 and `bias` int32 of a convolution; `multipliers` one a channel; `numbers` the other integers that
    its kernel takes (sizes, strides, paddings), by the names that the C structs use.
    """

    index: int
    operator: str
    name: str
    macs: int
    inputs: list[int]
    output: int
    multipliers: list[Multiplier] = field(default_factory=list)
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    numbers: dict[str, int] = field(default_factory=dict)


@dataclass
class Network:
    """Layers in order, `shapes` of the activations, and the ids of the graph's `input` and of its `output` (logits)."""

    path: Path
    layers: list[Layer]
    shapes: dict[int, tuple[int, ...]]
    input: int
    output: int

    def size(self, tensor: int) -> int:
        """Bytes of an int8 activation."""
        return int(np.prod(self.shapes[tensor]))


def read_network(path) -> Network:
    """The layers of the INT8 model `path`. A final SOFTMAX is left out: the output is the logits before it.

    UserError for a file that is missing, cut, not INT8 from input to output, or that holds an operator without a kernel.
    """
    path = Path(path)
    work, model = load_workload(path), read_model(path)
    try:
        return _network(Graph(model, path), work)
    except DAMAGE as error:
        raise damaged(path, error) from error


def _network(graph: Graph, work) -> Network:
    path, tensors = graph.path, graph.graph.tensors
    unknown = sorted(set(work["operator"]) - set(SUPPORTED) - {"DEQUANTIZE"})
    if unknown:
        raise UserError(f"{str(path)!r} uses {', '.join(unknown)}: the Cortex-M kernels have {', '.join(SUPPORTED)}.")
    for row in work.itertuples():
        for tensor in (*row.inputs, *row.outputs):
            if DTYPES[tensors[tensor].type] != "INT8":
                raise not_int8(path, f"{row.operator} {row.index} works on {DTYPES[tensors[tensor].type].lower()}")
    if not len(work) or len(ids(graph.graph.inputs)) != 1 or len(ids(graph.graph.outputs)) != 1:
        raise UserError(f"{str(path)!r} has no single input and output: the firmware takes one image and gives one vector.")
    layers = []
    for row, operator in zip(work.itertuples(), graph.graph.operators, strict=True):
        layer = _layer(graph, row, operator)
        if layer is None:
            graph.alias[int(operator.outputs[0])] = graph.origin(operator.inputs[0])
        else:
            layers.append(layer)
    used = {t for layer in layers for t in (*layer.inputs, layer.output)} | {int(graph.graph.inputs[0])}
    output = graph.origin(graph.graph.outputs[0])
    return Network(path, layers, {t: graph.shape(t) for t in used}, int(graph.graph.inputs[0]), output)


def _layer(graph: Graph, row, operator) -> Layer | None:
    """The layer of one operator; None where it moves no byte (RESHAPE, the SOFTMAX at the end)."""
    kind, source, output = row.operator, graph.origin(operator.inputs[0]), int(operator.outputs[0])
    if kind == "SOFTMAX" and output != int(graph.graph.outputs[0]):
        raise UserError(f"{str(graph.path)!r} uses SOFTMAX before its end: the Cortex-M kernels leave only a final one out.")
    if kind in ("RESHAPE", "SOFTMAX"):
        return None
    layer = Layer(row.index, kind, row.name, row.macs, [source], output)
    scale, zero = graph.scales(output)[0], graph.zero_point(output)
    layer.numbers["output_zero"] = zero
    input_scale = graph.scales(operator.inputs[0])[0]
    layer.numbers["input_zero"] = graph.zero_point(operator.inputs[0])
    activation = _ACTIVATIONS[getattr(operator.builtinOptions, "fusedActivationFunction", 0)]
    if activation not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
        raise UserError(f"{str(graph.path)!r} fuses {activation} into {kind} {row.index}: use RELU, RELU6 or none.")
    layer.numbers["low"], layer.numbers["high"] = activation_range(activation, scale, zero)
    if kind in CONVOLUTIONS:
        _convolution(graph, layer, operator, input_scale, scale)
    elif kind == "ADD":
        _add(graph, layer, operator, input_scale, scale)
    elif kind == "MEAN":
        _mean(graph, layer, operator, input_scale, scale)
    elif kind == "PAD":
        _pad(graph, layer, operator)
    else:  # QUANTIZE from int8 to int8
        layer.multipliers = [quantize_multiplier(float(input_scale) / float(scale))]
        layer.numbers["count"] = int(np.prod(graph.shape(output)))
    return layer


def _convolution(graph: Graph, layer: Layer, operator, input_scale, output_scale) -> None:
    kind, options, dense = layer.operator, operator.builtinOptions, layer.operator == "FULLY_CONNECTED"
    tensors, weights = ids(operator.inputs), int(operator.inputs[1])
    if not graph.is_constant(weights) or DTYPES[graph.graph.tensors[weights].type] != "INT8":
        raise not_int8(graph.path, f"{kind} {layer.index} has no constant int8 weights")
    shape = graph.shape(weights)
    if dense:
        count = int(np.prod(graph.shape(layer.inputs[0]))) // shape[1]
        shape, source, result = (shape[0], 1, 1, shape[1]), (1, 1, count, shape[1]), (1, 1, count, shape[0])
    else:
        source, result = graph.shape(int(operator.inputs[0])), graph.shape(layer.output)
    if source[0] != 1 or (kind == "CONV_2D" and shape[3] != source[3]):
        raise UserError(f"{str(graph.path)!r}: {kind} {layer.index} has batches or groups: the Cortex-M kernels have neither.")
    kernel, stride, dilation = shape[1:3], (1, 1), (1, 1)
    if not dense:
        stride = (int(options.strideH), int(options.strideW))
        dilation = (int(options.dilationHFactor), int(options.dilationWFactor))
    same = not dense and options.padding == 0
    padding = [
        _padding(*sizes) if same else 0 for sizes in zip(source[1:3], result[1:3], kernel, stride, dilation, strict=True)
    ]
    layer.weights = graph.constant(weights, np.int8).reshape(shape)
    layer.bias = graph.constant(tensors[2], np.int32) if len(tensors) > 2 else np.zeros(result[3], np.int32)
    layer.multipliers = channel_multipliers(input_scale, graph.scales(weights), output_scale, result[3], dense)
    names = ["input_height", "input_width", "input_channels", "output_height", "output_width", "output_channels"]
    layer.numbers |= dict(zip(names, (*source[1:], *result[1:]), strict=True))
    for name, (y, x) in (("kernel", kernel), ("stride", stride), ("dilation", dilation), ("padding", padding)):
        layer.numbers |= {f"{name}_y": y, f"{name}_x": x}


def _padding(source: int, result: int, kernel: int, stride: int, dilation: int) -> int:
    """Rows or columns before the image under SAME padding; an odd one more stands behind it."""
    return max(0, (result - 1) * stride + (kernel - 1) * dilation + 1 - source) // 2


def _add(graph: Graph, layer: Layer, operator, input_scale, output_scale) -> None:
    second = int(operator.inputs[1])
    shapes = {graph.shape(t) for t in (int(operator.inputs[0]), second, layer.output)}
    if len(shapes) > 1 or graph.is_constant(second) or graph.is_constant(int(operator.inputs[0])):
        raise UserError(f"{str(graph.path)!r}: ADD {layer.index} broadcasts or adds a constant: the Cortex-M kernel does not.")
    layer.inputs.append(graph.origin(second))
    layer.multipliers = list(add_multipliers(input_scale, graph.scales(second)[0], output_scale))
    layer.numbers |= {"second_zero": graph.zero_point(second), "count": int(np.prod(graph.shape(layer.output)))}


def _mean(graph: Graph, layer: Layer, operator, input_scale, output_scale) -> None:
    shape = graph.shape(int(operator.inputs[0]))
    axes = sorted(int(a) % len(shape) for a in graph.constant(int(operator.inputs[1]), np.int32))
    if len(shape) != 4 or axes != [1, 2] or shape[0] != 1:
        raise UserError(f"{str(graph.path)!r}: MEAN {layer.index} is not over height and width: the Cortex-M kernel is.")
    pixels = shape[1] * shape[2]
    layer.multipliers = [mean_multiplier(input_scale, output_scale, pixels)]
    layer.numbers |= {"pixels": pixels, "channels": shape[3]}


def _pad(graph: Graph, layer: Layer, operator) -> None:
    before = graph.constant(int(operator.inputs[1]), np.int32).reshape(-1, 2)
    shape, result = graph.shape(int(operator.inputs[0])), graph.shape(layer.output)
    if len(shape) != 4 or before[0].any() or before[3].any():
        raise UserError(f"{str(graph.path)!r}: PAD {layer.index} pads other axes than height and width.")
    layer.numbers |= dict(zip(("input_height", "input_width", "channels"), shape[1:], strict=True))
    layer.numbers |= {"output_height": result[1], "output_width": result[2]}
    layer.numbers |= {"padding_y": int(before[1, 0]), "padding_x": int(before[2, 0])}
