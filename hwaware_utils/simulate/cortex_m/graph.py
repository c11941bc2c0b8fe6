"""The unpacked graph of a `.tflite` file, with the questions that every operator asks of its tensors."""

from pathlib import Path

import numpy as np

from ...base.errors import UserError
from ...tflite_file import constant_bytes, shape_of


def not_int8(path: Path, why: str) -> UserError:
    return UserError(f"{str(path)!r} is no INT8 model ({why}): convert it with precision int8_ptq or int8_qat first.")


class Graph:
    """`alias` maps the output of an operator that moves no byte to the tensor that it is."""

    def __init__(self, model, path: Path):
        self.model, self.path, self.graph = model, path, model.subgraphs[0]
        self.alias: dict[int, int] = {}

    def origin(self, tensor: int) -> int:
        return self.alias.get(int(tensor), int(tensor))

    def shape(self, tensor: int) -> tuple[int, ...]:
        return shape_of(self.graph.tensors[tensor])

    def scales(self, tensor: int) -> np.ndarray:
        found = self.graph.tensors[tensor].quantization
        if found is None or found.scale is None or not len(found.scale):
            raise not_int8(self.path, f"tensor {tensor} has no scale")
        return np.asarray(found.scale, np.float32)

    def zero_point(self, tensor: int) -> int:
        return int(self.graph.tensors[tensor].quantization.zeroPoint[0])

    def constant(self, tensor: int, dtype) -> np.ndarray:
        held = self.model.buffers[self.graph.tensors[tensor].buffer]
        if held.offset > 1:  # constants behind the flatbuffer
            return np.fromfile(self.path, dtype, held.size // np.dtype(dtype).itemsize, offset=held.offset)
        return np.frombuffer(bytes(held.data), dtype)

    def is_constant(self, tensor: int) -> bool:
        return bool(constant_bytes(self.model, self.graph.tensors[tensor]))
