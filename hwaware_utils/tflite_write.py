"""Writing a `.tflite` file: constants inside the flatbuffer, on 16-byte boundaries, equal vectors written once."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

ALIGNMENT_BYTES = 16  # TFLite's schema asks for it (`force_align`); Python's generated code does not do it


class _Builder(flatbuffers.Builder):
    """A per-channel INT8 file holds two vectors of 64-bit zeros for every layer: shared, they cost next to nothing."""

    def __init__(self):
        super().__init__()
        self._written: dict[tuple, int] = {}

    def CreateNumpyVector(self, x):
        if x.dtype == np.uint8:
            return self._constant(x.tobytes())
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def _constant(self, content: bytes) -> int:
        self.StartVector(1, len(content), ALIGNMENT_BYTES)
        self.head -= len(content)
        self.Bytes[self.head : self.head + len(content)] = content
        self.vectorNumElems = len(content)
        return self.EndVector()


def write_model(model) -> bytes:
    """The file of an unpacked model whose constants are in its buffers."""
    builder = _Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def compact(content: bytes) -> bytes:
    """The same model in fewer bytes; its outputs are bit-identical (tested)."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # ai-edge-quantizer writes constants behind the flatbuffer
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return write_model(model)
