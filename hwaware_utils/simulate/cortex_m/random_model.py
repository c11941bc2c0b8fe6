"""INT8 models with random weights, written without training or TensorFlow: what runs is the same, what it says is noise.

Cycles and memory of a network do not depend on its weights, so a published measurement of an untrained size can be
simulated; and random networks find the bit that a trained one hides.
"""

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from ...platforms.mobilenet import mobilenet_workload
from ...tflite_write import write_model

_ACTIVATIONS = schema.ActivationFunctionType
_PADDINGS = {"SAME": schema.Padding.SAME, "VALID": schema.Padding.VALID}
_WIDTHS = {np.dtype(np.int8): schema.TensorType.INT8, np.dtype(np.int32): schema.TensorType.INT32}


def write_random_mobilenet(path: Path, family: str, alpha: float, resolution: int, classes: int, seed: int = 0) -> Path:
    """An INT8 MobileNet of the sizes of `platforms.mobilenet.mobilenet_workload`, with random weights, as the file `path`."""
    work = mobilenet_workload(family, alpha, resolution, classes, "int8")
    model = RandomModel(work["input_shape"][0][1:], seed)
    made = {work["inputs"][0][0]: 0}  # tensor of the table -> tensor of the file
    for row in work.itertuples():
        source, relu = made[row.inputs[0]], row.operator == "DEPTHWISE_CONV_2D" or row.output_shape[-1] > row.input_shape[-1]
        stride = -(-row.input_shape[1] // row.output_shape[1]) if len(row.output_shape) == 4 else 1
        if row.operator == "CONV_2D":
            activation = "RELU6" if relu else "NONE"
            made[row.outputs[0]] = model.conv(source, row.output_shape[-1], row.kernel[0], stride, activation=activation)
        elif row.operator == "DEPTHWISE_CONV_2D":
            made[row.outputs[0]] = model.depthwise(source, row.kernel[0], stride, activation="RELU6")
        elif row.operator == "ADD":
            made[row.outputs[0]] = model.add(source, made[row.inputs[1]])
        else:
            made[row.outputs[0]] = model.mean(source) if row.operator == "MEAN" else model.dense(source, classes)
    path.write_bytes(model.finish(made[row.outputs[0]]))
    return path


class RandomModel:
    """A graph that grows by one operator a call; each returns the tensor that it makes. Tensor 0 is the image (H, W, C)."""

    def __init__(self, shape: tuple, seed: int = 0):
        self._random = np.random.default_rng(seed)
        self._model, self._graph = schema.ModelT(), schema.SubGraphT()
        self._model.version, self._model.description = 3, "random weights"
        self._model.buffers, self._model.operatorCodes = [schema.BufferT()], []
        self._graph.tensors, self._graph.operators, self._graph.inputs = [], [], [0]
        self._activation((1, *shape), 0.02, int(self._random.integers(-20, 20)))

    def conv(self, source, filters, kernel=1, stride=1, padding="SAME", dilation=1, activation="NONE", gain=1.0) -> int:
        """CONV_2D. `gain` multiplies the outputs' range beyond what fits int8: above 1 they saturate."""
        weights = self._weights((filters, kernel, kernel, self.shape(source)[3]), (1, 2, 3))
        options = self._options(schema.Conv2DOptionsT(), stride, padding, dilation, activation)
        shape = (1, *self._places(source, kernel, stride, padding, dilation), filters)
        return self._multiply("CONV_2D", source, weights, 0, shape, options, activation, gain)

    def depthwise(self, source, kernel=3, stride=1, padding="SAME", dilation=1, activation="NONE", multiplier=1) -> int:
        """DEPTHWISE_CONV_2D with `multiplier` outputs a channel."""
        channels = self.shape(source)[3] * multiplier
        options = self._options(schema.DepthwiseConv2DOptionsT(), stride, padding, dilation, activation)
        options.depthMultiplier = multiplier
        weights, shape = (1, kernel, kernel, channels), self._places(source, kernel, stride, padding, dilation)
        return self._multiply(
            "DEPTHWISE_CONV_2D", source, self._weights(weights, (1, 2)), 3, (1, *shape, channels), options, activation
        )

    def dense(self, source, outputs: int) -> int:
        """FULLY_CONNECTED with one weight scale a layer."""
        inputs = int(np.prod(self.shape(source)))
        weights = self._weights((outputs, inputs), (1,))
        return self._multiply("FULLY_CONNECTED", source, weights, None, (1, outputs), schema.FullyConnectedOptionsT(), "NONE")

    def add(self, first, second, activation="NONE") -> int:
        """ADD of two tensors of one shape."""
        options = schema.AddOptionsT()
        options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
        scale = np.hypot(self.scale(first), self.scale(second)) * self._random.uniform(0.8, 1.5)
        output = self._activation(self.shape(first), scale, self._zero_point(activation))
        return self._operator("ADD", [first, second], output, options)

    def mean(self, source) -> int:
        """MEAN over height and width."""
        axes = self._constant(np.array([1, 2], np.int32))
        output = self._activation((1, self.shape(source)[3]), self.scale(source) * self._random.uniform(0.3, 1.2), 3)
        return self._operator("MEAN", [source, axes], output, schema.ReducerOptionsT())

    def pad(self, source, before: tuple, after: tuple) -> int:
        """PAD of height and width; the scale and zero point stay."""
        shape = self.shape(source)
        pads = np.array([[0, 0], *zip(before, after, strict=True), [0, 0]], np.int32)
        padded = (1, shape[1] + before[0] + after[0], shape[2] + before[1] + after[1], shape[3])
        output = self._activation(padded, self.scale(source), self.zero_point(source))
        return self._operator("PAD", [source, self._constant(pads)], output, schema.PadOptionsT())

    def quantize(self, source) -> int:
        """QUANTIZE from one int8 scale to another."""
        scale = self.scale(source) * self._random.uniform(0.4, 1.5)
        output = self._activation(self.shape(source), scale, self._zero_point("NONE"))
        return self._operator("QUANTIZE", [source], output, schema.QuantizeOptionsT())

    def flatten(self, source) -> int:
        """RESHAPE to a vector."""
        shape = (1, int(np.prod(self.shape(source))))
        output = self._activation(shape, self.scale(source), self.zero_point(source))
        options = schema.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        return self._operator("RESHAPE", [source, self._constant(options.newShape)], output, options)

    def softmax(self, source) -> int:
        """SOFTMAX at the end."""
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self._operator("SOFTMAX", [source], self._activation(self.shape(source), 1 / 256, -128), options)

    def finish(self, output: int) -> bytes:
        """The file, with `output` as the graph's output."""
        self._graph.outputs, self._model.subgraphs = [output], [self._graph]
        return write_model(self._model)

    def shape(self, tensor: int) -> tuple:
        return tuple(self._graph.tensors[tensor].shape)

    def scale(self, tensor: int) -> float:
        return float(self._graph.tensors[tensor].quantization.scale[0])

    def zero_point(self, tensor: int) -> int:
        return int(self._graph.tensors[tensor].quantization.zeroPoint[0])

    def _multiply(self, name, source, weights, channel_axis, shape, options, activation, gain=1.0) -> int:
        """The weights' scale is such that sums of random products fill about half of int8's range."""
        channels = shape[-1]
        products = weights.size // channels
        # RELU6 of a trained network ends at 6 = 127; a smaller scale cuts nothing either
        output_scale = 6 / 255 if activation == "RELU6" else self._random.uniform(0.01, 0.05)
        spread = np.ones(1) if channel_axis is None else self._random.uniform(0.4, 1.6, channels)
        scales = (spread * gain * output_scale / (self.scale(source) * 70 * np.sqrt(products))).astype(np.float32)
        output = self._activation(shape, output_scale, self._zero_point(activation))
        bias = self._random.integers(-2000, 2000, channels).astype(np.int32)
        zeros = np.zeros(len(scales), np.int64)
        tensors = [
            self._constant(weights, scales, zeros, channel_axis or 0),
            self._constant(bias, (scales * self.scale(source)).astype(np.float32), zeros, 0),
        ]
        return self._operator(name, [source, *tensors], output, options)

    def _weights(self, shape: tuple, summed: tuple) -> np.ndarray:
        """Random weights whose sum over the axes `summed` is near zero: else the inputs' mean would drown the image."""
        values = self._random.integers(-100, 101, shape)
        return np.clip(np.round(values - values.mean(axis=summed, keepdims=True)), -127, 127).astype(np.int8)

    def _zero_point(self, activation: str) -> int:
        return -128 if activation.startswith("RELU") else int(self._random.integers(-30, 30))

    def _places(self, source, kernel, stride, padding, dilation) -> tuple[int, int]:
        reach = (kernel - 1) * dilation if padding == "VALID" else 0
        return tuple(-(-(size - reach) // stride) for size in self.shape(source)[1:3])

    @staticmethod
    def _options(options, stride, padding, dilation, activation):
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = dilation
        options.padding, options.fusedActivationFunction = _PADDINGS[padding], getattr(_ACTIVATIONS, activation)
        return options

    def _activation(self, shape, scale: float, zero_point: int) -> int:
        return self._tensor(shape, np.dtype(np.int8), [scale], [zero_point])

    def _constant(self, values: np.ndarray, scales=(), zeros=(), axis: int = 0) -> int:
        held = schema.BufferT()
        held.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(held)
        return self._tensor(values.shape, values.dtype, scales, zeros, axis, len(self._model.buffers) - 1)

    def _tensor(self, shape, dtype, scales=(), zeros=(), axis: int = 0, buffer: int = 0) -> int:
        tensor, found = schema.TensorT(), schema.QuantizationParametersT()
        found.scale, found.zeroPoint = np.asarray(scales, np.float32), np.asarray(zeros, np.int64)
        found.quantizedDimension = axis
        tensor.shape, tensor.type, tensor.buffer = np.asarray(shape, np.int32), _WIDTHS[dtype], buffer
        tensor.name, tensor.quantization = f"tensor_{len(self._graph.tensors)}", found
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _operator(self, name: str, inputs: list, output: int, options) -> int:
        number = getattr(schema.BuiltinOperator, name)
        codes = self._model.operatorCodes
        if number not in [code.builtinCode for code in codes]:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 3
            codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = [code.builtinCode for code in codes].index(number)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._graph.operators.append(operator)
        return output
