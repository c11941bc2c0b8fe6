"""The layers of an FP32 .tflite with their constants, open for change: what equalisation works on."""

import copy
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from ..base.errors import UserError
from ..base.quiet import progress, quiet
from ..tflite_file import DTYPES, OPERATORS, read_model
from ..tflite_write import write_model

LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
ACTIVATIONS = {0: "NONE", 1: "RELU", 3: "RELU6"}


@dataclass(frozen=True)
class Layer:
    """Tensor numbers of a convolution or fully connected layer. `bias` is -1 where the converter dropped one of zeros."""

    operator: str
    source: int
    weights: int
    bias: int
    output: int
    activation: str  # NONE, RELU, RELU6 or the number of another one

    @property
    def depthwise(self) -> bool:
        return self.operator == "DEPTHWISE_CONV_2D"


class FloatModel:
    """A copy of the FP32 .tflite at `path`: `layers`, `readers` (of a tensor) and, as items, the constants in float64.

    In float64, so that many changes round only once, when `packed` writes the file. UserError when it is not FP32.
    """

    def __init__(self, path: Path):
        self._model = copy.deepcopy(read_model(path))  # what it returns is shared
        graph = self._model.subgraphs[0]
        self._tensors, self._constants, self._held_buffers = graph.tensors, {}, set()
        self.layers: list[Layer] = []
        self.readers = {int(tensor): 1 for tensor in graph.outputs}  # tensor -> how many operators read it, or the caller
        for operator in graph.operators:
            for tensor in operator.inputs:
                self.readers[int(tensor)] = self.readers.get(int(tensor), 0) + 1
            code = self._model.operatorCodes[operator.opcodeIndex]
            name = OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode))
            if name in LAYERS:
                source, *constants = (int(tensor) for tensor in [*operator.inputs, -1][:3])
                weights, bias = (self._own(tensor, path) for tensor in constants)
                operator.inputs = np.array([source, weights, bias], np.int32)
                activation = int(operator.builtinOptions.fusedActivationFunction)
                kind = ACTIVATIONS.get(activation, str(activation))
                self.layers.append(Layer(name, source, weights, bias, int(operator.outputs[0]), kind))

    def _own(self, tensor: int, path: Path) -> int:
        """Read a constant and return its number: a new one where another layer has it, as equal ones are stored once."""
        if tensor < 0:
            return tensor
        held = self._tensors[tensor]
        data = self._model.buffers[held.buffer].data
        if DTYPES[held.type] != "FLOAT32" or data is None:
            raise UserError(f"{path} is no FP32 .tflite (weights are not float32): give the file before quantising.")
        if held.buffer in self._held_buffers:
            tensor, held = len(self._tensors), copy.copy(held)
            held.buffer = len(self._model.buffers)
            held.name = held.name + f"/copy{tensor}".encode()  # ai-edge-quantizer tells tensors by their names
            self._model.buffers.append(schema.BufferT())
            self._tensors.append(held)
        self._held_buffers.add(held.buffer)
        self._constants[tensor] = np.frombuffer(bytes(data), "<f4").reshape(held.shape).astype(np.float64)
        return tensor

    def __getitem__(self, tensor: int) -> np.ndarray:
        return self._constants[tensor]

    def __setitem__(self, tensor: int, values: np.ndarray) -> None:
        self._constants[tensor] = values

    def packed(self) -> bytes:
        """The changed model as the bytes of a .tflite."""
        for tensor, values in self._constants.items():
            content = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
            self._model.buffers[self._tensors[tensor].buffer].data = content
        return write_model(self._model)


def output_channels(weights: np.ndarray, depthwise: bool) -> np.ndarray:
    """The weights with the channels that they write as first axis. TFLite stores OHWI, 1HWC (depthwise) or OI."""
    return np.moveaxis(weights, -1, 0) if depthwise else weights


def channel_statistics(fp32: Path, inputs: np.ndarray, batch: int = 10) -> tuple[dict, dict]:
    """Mean and largest value of each channel of every activation, over all inputs and places: {tensor: (channels,)}.

    `inputs` is float32 (N, H, W, 3). UserError when it is empty or holds NaN or infinity.
    """
    if not len(inputs) or not np.isfinite(inputs).all():
        raise UserError("the calibration images are empty or hold NaN or infinity: give some uint8 images.")
    sums, largest, opened, interpreter = {}, {}, 0, None
    for start in progress(range(0, len(inputs), batch), "channels"):
        part = inputs[start : start + batch]
        if len(part) != opened:
            interpreter, opened = _plain_interpreter(fp32, len(part), inputs.shape[1:]), len(part)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], part)
        interpreter.invoke()
        for operator in interpreter._get_ops_details():
            tensor = int(operator["outputs"][0])
            values = interpreter.get_tensor(tensor)
            places = values.reshape(len(part), -1, values.shape[-1])
            sums[tensor] = sums.get(tensor, 0) + places.mean(axis=1).sum(axis=0)
            largest[tensor] = np.maximum(largest.get(tensor, -np.inf), places.max(axis=(0, 1)))
    colour = inputs.reshape(-1, inputs.shape[-1])
    ends = int(interpreter.get_input_details()[0]["index"])
    means = {tensor: total / len(inputs) for tensor, total in sums.items()}
    return means | {ends: colour.mean(axis=0)}, largest | {ends: colour.max(axis=0)}


def _plain_interpreter(fp32: Path, batch: int, shape: tuple) -> Interpreter:
    # Without delegates: only the plain kernels keep the tensors between the layers
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with quiet():
        interpreter = Interpreter(
            str(fp32),
            experimental_op_resolver_type=plain,
            experimental_preserve_all_tensors=True,
            num_threads=os.cpu_count() or 1,
        )
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [batch, *shape])
        interpreter.allocate_tensors()
    return interpreter
