"""MobileNetV1 and V2 written down as work, exact to the MAC, without TensorFlow and without a file.

Sources: Howard et al. 2017 (arXiv:1704.04861, table 1), Sandler et al. 2018 (arXiv:1801.04381, table 2) and the
rounding of Keras' `applications` (V2 rounds channels to multiples of 8, V1 truncates).
"""

import pandas as pd

from ..base.errors import UserError
from ..study.widths import Channels, joined
from ..workload import COLUMNS, lifetimes, make_row

FAMILIES = ("mobilenet_v1", "mobilenet_v2")
V1_BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
V2_BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
# precision -> dtype of (weights, biases, activations)
_DTYPES = {
    "fp32": ("FLOAT32", "FLOAT32", "FLOAT32"),
    "fp16": ("FLOAT16", "FLOAT16", "FLOAT32"),
    "dynamic": ("INT8", "FLOAT32", "FLOAT32"),
    **dict.fromkeys(("int8", "int8_ptq", "int8_qat"), ("INT8", "INT32", "INT8")),
}


def round_channels(channels: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor`, at least one, and never more than 10 % below (Keras' `_make_divisible`).

    >>> round_channels(32 * 0.35), round_channels(16 * 0.35)
    (16, 8)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class _Graph:
    """Collects rows and tensor shapes while the network is written down layer by layer."""

    def __init__(self, resolution: int, channels: int, precision: str):
        self.weight_type, self.bias_type, self.activation_type = _DTYPES[precision]
        self.rows, self.shapes = [], {0: ((1, resolution, resolution, channels), self.activation_type)}
        self.batch_norm_channels = 0

    def add(self, operator: str, source: int, shape: tuple, weight_shape: tuple = (), also: tuple = ()) -> int:
        tensor = len(self.shapes)
        self.shapes[tensor] = (shape, self.activation_type)
        inputs = (source, *also)
        bias = weight_shape[-1] if operator == "DEPTHWISE_CONV_2D" else weight_shape[:1] and weight_shape[0]
        weights = [(weight_shape, self.weight_type), ((bias,), self.bias_type)] if weight_shape else []
        described = [self.shapes[t] for t in inputs], [self.shapes[tensor]], weights
        index = len(self.rows)
        name = f"{operator.lower()}_{index}"
        self.rows.append(make_row(index, operator, name, *described, weight_shape, inputs, (tensor,)))
        return tensor

    def conv(self, source: int, filters: int, kernel: int = 1, stride: int = 1, norm: bool = True) -> int:
        _, height, width, channels = self.shapes[source][0]
        self.batch_norm_channels += filters if norm else 0
        shape = (1, -(-height // stride), -(-width // stride), filters)
        return self.add("CONV_2D", source, shape, (filters, kernel, kernel, channels))

    def depthwise(self, source: int, stride: int) -> int:
        _, height, width, channels = self.shapes[source][0]
        self.batch_norm_channels += channels
        return self.add(
            "DEPTHWISE_CONV_2D", source, (1, -(-height // stride), -(-width // stride), channels), (1, 3, 3, channels)
        )


def _build(family: str, alpha: float, resolution: int, classes: int, precision: str, channels: int) -> _Graph:
    check_network(family, alpha, resolution, classes, precision)
    graph = _Graph(resolution, channels, precision)
    return _with_head(graph, _build_v1(graph, alpha) if family == "mobilenet_v1" else _build_v2(graph, alpha), classes)


def _with_head(graph: _Graph, last: int, classes: int) -> _Graph:
    width = graph.shapes[last][0][-1]
    pooled = graph.add("MEAN", last, (1, width))
    graph.add("FULLY_CONNECTED", pooled, (1, classes), (classes, width))
    return graph


def _build_v1(graph: _Graph, alpha: float) -> int:
    tensor = graph.conv(0, int(32 * alpha), 3, 2)
    for filters, stride in V1_BLOCKS:
        tensor = graph.conv(graph.depthwise(tensor, stride), int(filters * alpha))
    return tensor


def _build_v2(graph: _Graph, alpha: float) -> int:
    tensor = graph.conv(0, round_channels(32 * alpha), 3, 2)
    for expansion, filters, repeats, first_stride in V2_BLOCKS:
        for repeat in range(repeats):
            source, stride = tensor, first_stride if repeat == 0 else 1
            width, out = graph.shapes[source][0][-1], round_channels(filters * alpha)
            expanded = graph.conv(source, expansion * width) if expansion > 1 else source
            tensor = graph.conv(graph.depthwise(expanded, stride), out)
            if stride == 1 and width == out:
                tensor = graph.add("ADD", source, graph.shapes[tensor][0], also=(tensor,))
    return graph.conv(tensor, round_channels(1280 * alpha) if alpha > 1 else 1280)


def v2_channels(alpha: float) -> Channels:
    """The channel counts of MobileNetV2 at a width multiplier."""
    outputs = [round_channels(filters * alpha) for _, filters, repeats, _ in V2_BLOCKS for _ in range(repeats)]
    factors = [expansion for expansion, _, repeats, _ in V2_BLOCKS for _ in range(repeats)]
    expand = tuple(factor * width for factor, width in zip(factors[1:], outputs, strict=False))
    return Channels(round_channels(32 * alpha), expand, tuple(outputs), round_channels(1280 * alpha) if alpha > 1 else 1280)


def _build_cut(graph: _Graph, channels: Channels) -> int:
    """MobileNetV2 of any channel counts, as `study.channels.build` makes it: what belongs to one stream is added."""
    strides = [first if repeat == 0 else 1 for _, _, repeats, first in V2_BLOCKS for repeat in range(repeats)]
    tensor = graph.conv(0, channels.stem, 3, 2)
    for block, (width, stride) in enumerate(zip(channels.project, strides, strict=True)):
        source = tensor
        expanded = graph.conv(source, channels.expand[block - 1]) if block else source
        tensor = graph.conv(graph.depthwise(expanded, stride), width)
        if joined(block):
            tensor = graph.add("ADD", source, graph.shapes[tensor][0], also=(tensor,))
    return graph.conv(tensor, channels.head)


def cut_mobilenet(
    channels: Channels, resolution: int, classes: int, precision: str = "fp32"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Workload and tensor table (as `mobilenet_workload`, `mobilenet_tensors`) of a MobileNetV2 with these channel counts."""
    check_network("mobilenet_v2", 1, resolution, classes, precision)
    graph = _Graph(resolution, 3, precision)
    _with_head(graph, _build_cut(graph, channels), classes)
    operators = pd.DataFrame(graph.rows, columns=COLUMNS)
    return operators, lifetimes(operators, graph.shapes, [0], [len(graph.shapes) - 1])


def mobilenet_workload(
    family: str, alpha: float, resolution: int, classes: int, precision: str = "fp32", channels: int = 3
) -> pd.DataFrame:
    """The workload table of a MobileNet (columns of `workload.load_workload`), batch norm folded, head = one dense layer.

    `resolution` in pixels (square), `channels` of the input image. Raises UserError naming the value that is out of range.
    """
    return pd.DataFrame(_build(family, alpha, resolution, classes, precision, channels).rows, columns=COLUMNS)


def mobilenet_tensors(
    family: str, alpha: float, resolution: int, classes: int, precision: str = "int8", channels: int = 3
) -> pd.DataFrame:
    """The tensor table of the same network (columns of `workload.load_tensors`), for the arena planner."""
    graph = _build(family, alpha, resolution, classes, precision, channels)
    operators = pd.DataFrame(graph.rows, columns=COLUMNS)
    return lifetimes(operators, graph.shapes, [0], [len(graph.shapes) - 1])


def mobilenet_parameters(family: str, alpha: float, classes: int) -> dict[str, int]:
    """Parameters before folding: `trainable` (with batch norm's scale and shift) and `total` (with its statistics)."""
    graph = _build(family, alpha, 96, classes, "fp32", 3)
    folded = sum(row["weights"] for row in graph.rows)
    # Folding leaves one bias a channel; training holds scale and shift, the statistics are two more.
    trainable = folded + graph.batch_norm_channels
    return {"trainable": trainable, "total": trainable + 2 * graph.batch_norm_channels}


def check_network(family, alpha, resolution, classes, precision) -> None:
    """UserError naming the value that no MobileNet here can have."""
    if family not in FAMILIES:
        raise UserError(f"family {family!r} has no formula here: use {' or '.join(FAMILIES)}, or give a .tflite file.")
    if precision not in _DTYPES:
        raise UserError(f"precision {precision!r} is unknown: use one of {', '.join(_DTYPES)}.")
    for name, value, low, high in (
        ("alpha", alpha, 0.1, 4),
        ("resolution", resolution, 32, 1024),
        ("classes", classes, 1, 10**6),
    ):
        if not low <= value <= high:
            raise UserError(f"{name} {value} is out of range: give a number from {low} to {high}.")
        if name != "alpha" and int(value) != value:
            raise UserError(f"{name} {value} is no whole number: give an integer from {low} to {high}.")
