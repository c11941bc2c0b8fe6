"""A `.tflite` file, opened at the door: every offset is followed in Python before any native code sees the file."""

import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from .base.errors import UserError

_WIDTH_BITS = {
    **dict.fromkeys(("FLOAT32", "INT32", "UINT32"), 32),
    **dict.fromkeys(("FLOAT64", "INT64", "UINT64", "COMPLEX64"), 64),
    **dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 16),
    **dict.fromkeys(("INT8", "UINT8", "BOOL", "FLOAT8_E4M3FN", "FLOAT8_E5M2"), 8),
    **dict.fromkeys(("INT4", "UINT4"), 4),
    **{"INT2": 2, "COMPLEX128": 128},
}


def _names(enumeration) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


# What reading a damaged file raises in Python; native code would crash instead.
DAMAGE = (struct.error, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, MemoryError, RecursionError)
DTYPES, OPERATORS = _names(schema.TensorType), _names(schema.BuiltinOperator)


class _Checked(bytes):
    """Bytes whose slices may not run past the end: the flatbuffers reader takes strings with plain slices."""

    def __getitem__(self, key):
        if isinstance(key, slice) and (key.stop or 0) > len(self):
            raise IndexError("string runs past the end of the file")
        return super().__getitem__(key)


def tensor_bytes(shape, dtype: str) -> int:
    """Bytes of a dense tensor; a dynamic dimension (-1 or 0) counts as 1. Sub-byte types are packed."""
    elements = int(np.prod([max(int(d), 1) for d in shape], dtype=np.int64))
    return -(-elements * _WIDTH_BITS.get(dtype, 0) // 8)


def read_model(path) -> "schema.ModelT":
    """The unpacked model of a `.tflite` file. UserError names the file if it is missing, no `.tflite`, cut or corrupt."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"model file {str(path)!r} does not exist: give the path of a .tflite file.")
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


def damaged(path, error: Exception) -> UserError:
    """The one sentence for a file whose content contradicts itself."""
    return UserError(
        f"{str(path)!r} is cut off or corrupt ({type(error).__name__}: {str(error)[:80]}): copy or convert it again."
    )


@lru_cache(maxsize=2)
def _read(path: Path, _changed: int, size: int):
    data = _Checked(path.read_bytes())
    if size < 16 or bytes(data)[4:8] != b"TFL3":
        raise UserError(f"{str(path)!r} is no .tflite model (identifier 'TFL3' expected at byte 4): convert the model first.")
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        _check(model, size)
    except DAMAGE as error:
        raise damaged(path, error) from error
    return model


def _check(model, size: int) -> None:
    """ValueError unless every index points inside its list and every constant has the bytes that its shape needs."""
    if not model.subgraphs:
        raise ValueError("no subgraph")
    for buffer in model.buffers:
        if buffer.offset > 1 and buffer.offset + buffer.size > size:
            raise ValueError("a weight buffer runs past the end of the file")
    for graph in model.subgraphs:
        count = len(graph.tensors)
        for tensor in graph.tensors:
            have, dtype = constant_bytes(model, tensor), DTYPES[tensor.type]
            dense = tensor.sparsity is None and dtype in _WIDTH_BITS
            if have and dense and have != tensor_bytes(_shape(tensor), dtype):
                raise ValueError(f"tensor {tensor.name!r} holds {have} bytes, its shape needs others")
        for operator in graph.operators or ():
            model.operatorCodes[_index(operator.opcodeIndex, len(model.operatorCodes))]
            for tensor in (*ids(operator.inputs), *ids(operator.outputs)):
                _index(tensor, count)
        for tensor in (*ids(graph.inputs), *ids(graph.outputs)):
            _index(tensor, count)


def constant_bytes(model, tensor) -> int:
    """Bytes stored in the file for this tensor; 0 for an activation."""
    buffer = model.buffers[_index(tensor.buffer, len(model.buffers))]
    return int(buffer.size) if buffer.offset > 1 else (0 if buffer.data is None else len(buffer.data))


def ids(indices) -> list[int]:
    """Tensor indices of an operator or graph, without -1 ('input left out')."""
    return [int(i) for i in (() if indices is None else indices) if i >= 0]


def _shape(tensor) -> list[int]:
    return [] if tensor.shape is None else [int(d) for d in tensor.shape]


def shape_of(tensor) -> tuple[int, ...]:
    """The shape with a dynamic dimension counted as 1 (batch size 1)."""
    return tuple(max(d, 1) for d in _shape(tensor))


def _index(value: int, count: int) -> int:
    if not 0 <= value < count:
        raise IndexError(f"index {value} of {count}")
    return value
