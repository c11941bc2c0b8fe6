"""A golden vector: an input that any firmware can make by itself, and the logits that the right model gives for it.

Value i of the flattened input is the top byte of i * 2654435761 modulo 2^32 (Knuth's multiplicative hash, The Art of
Computer Programming 3, 6.4): no random generator, no image, no library. An integer input takes the byte itself (minus 128
if it is int8), not a scaled pixel: with a scale of 1 / 127.5 every pixel lies between two integers, and which one it
becomes would depend on the last bit of a division.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from ..base.errors import UserError
from ..base.quiet import quiet
from ..study.benchmark import open_model

MULTIPLIER = 2654435761


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model: `scale` is 0 where it is not quantised."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Golden:
    """Logits as the model gives them (integers of an INT8 model). CRC-32 (zlib) over the bytes in C order, little endian.

    `reference` comes from TFLite's reference kernels, equal to TFLite-Micro's; `optimized` from XNNPACK, which rounds the
    products of an INT8 network elsewhere. `steps` is the largest difference between the two, in the output's own unit.
    """

    input: Tensor
    output: Tensor
    input_crc32: int
    reference: np.ndarray
    optimized: np.ndarray

    @property
    def steps(self) -> float:
        return float(np.abs(self.reference.astype(float) - self.optimized.astype(float)).max())

    def logits(self, kind: str) -> tuple[np.ndarray, str]:
        """What a device of this class (`PlatformSpec.kind`) must give, and whose kernels that is."""
        if kind == "application":
            return self.optimized, "LiteRT with XNNPACK"
        return self.reference, "TFLite's reference kernels (TFLite-Micro)"


def synthetic_input(shape, dtype: str) -> np.ndarray:
    """The input of a network; a float one takes byte / 127.5 - 1. UserError for any other type.

    >>> synthetic_input((1, 4), "uint8").tolist(), synthetic_input((1, 4), "int8").tolist()
    ([[0, 158, 60, 218]], [[-128, 30, -68, 90]])
    """
    values = (np.arange(int(np.prod(shape)), dtype=np.uint64) * MULTIPLIER % 2**32 >> 24).astype(np.uint8).reshape(shape)
    if dtype == "float32":
        return values.astype(np.float32) / np.float32(127.5) - np.float32(1)
    if dtype not in ("int8", "uint8"):
        raise UserError(f"a model with {dtype} input has no golden vector here: expected float32, int8 or uint8.")
    return values if dtype == "uint8" else (values ^ 0x80).view(np.int8)


def golden(model: Path) -> Golden:
    """Run a .tflite with one input and one output on the synthetic image. UserError when LiteRT cannot open it."""
    fast = open_model(Path(model))
    source, target = fast.get_input_details()[0], fast.get_output_details()[0]
    x = synthetic_input(source["shape"], np.dtype(source["dtype"]).name)
    with quiet():
        plain = Interpreter(
            model_content=Path(model).read_bytes(), num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        )
        plain.allocate_tensors()
    return Golden(_tensor(source), _tensor(target), zlib.crc32(x.tobytes()), _run(plain, x), _run(fast, x))


def _tensor(detail: dict) -> Tensor:
    scale, zero_point = detail["quantization"]
    return Tensor(tuple(int(n) for n in detail["shape"]), np.dtype(detail["dtype"]).name, float(scale), int(zero_point))


def _run(interpreter: Interpreter, x: np.ndarray) -> np.ndarray:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
