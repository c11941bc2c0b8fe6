"""Where the constants and scales of a `.tflite` lie, byte by byte: what a delta lines up."""

from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from ...tflite_file import DTYPES

_WIDTHS = {"INT16": 2, "FLOAT16": 2, "INT32": 4, "FLOAT32": 4, "INT64": 4}  # all others: byte by byte


@dataclass(frozen=True)
class Segment:
    """`length` bytes at `offset` of numbers of `width` bytes each. `key` is the same in a base and its successor.

    `turn` counts in the order in which the operators read the tensors: the same in two conversions of one network.
    """

    key: tuple[str, str, int]
    offset: int
    length: int
    width: int
    turn: int


def segments(content: bytes) -> list[Segment]:
    """The constants and the quantisation scales of every tensor, in file order, none twice, none overlapping.

    `content` must be a sound file (`tflite_file.read_model` has opened it). Vectors that tensors share appear once.
    """
    model = schema.Model.GetRootAs(content, 0)
    start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    found, seen = {}, {}

    def add(kind: str, name: str, width: int, offset: int, length: int) -> None:
        if length and length % width == 0 and offset not in found:
            count = seen[kind, name] = seen.get((kind, name), -1) + 1
            found[offset] = Segment((kind, name, count), offset, length, width, len(found))

    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        for tensor in (graph.Tensors(i) for i in _by_use(graph)):
            name, buffer = (tensor.Name() or b"").decode("utf-8", "replace"), model.Buffers(tensor.Buffer())
            width = _WIDTHS.get(DTYPES.get(tensor.Type(), ""), 1)
            if buffer.Offset() > 1:  # ai-edge-quantizer writes constants behind the flatbuffer
                add("constant", name, width, buffer.Offset(), buffer.Size())
            elif buffer.DataLength():
                add("constant", name, width, _place(buffer.DataAsNumpy(), start), buffer.DataLength())
            scales = tensor.Quantization()
            if scales is not None and scales.ScaleLength():
                add("scale", name, 4, _place(scales.ScaleAsNumpy(), start), 4 * scales.ScaleLength())
    ordered, end = [], 0
    for segment in sorted(found.values(), key=lambda s: s.offset):
        if segment.offset >= end:  # two vectors of one file never overlap, unless somebody made it so
            ordered.append(segment)
            end = segment.offset + segment.length
    return ordered


def _by_use(graph) -> list[int]:
    """Every tensor once: in the order in which the operators read them, then those that nobody reads."""
    operators = (graph.Operators(i) for i in range(graph.OperatorsLength()))
    read = [operator.Inputs(k) for operator in operators for k in range(operator.InputsLength())]
    return [t for t in dict.fromkeys([*read, *range(graph.TensorsLength())]) if t >= 0]


def _place(view: np.ndarray, start: int) -> int:
    return view.__array_interface__["data"][0] - start
