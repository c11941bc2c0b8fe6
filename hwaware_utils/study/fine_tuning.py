"""Fine-tune the network inside an FP32 .tflite: the file is the model, no Keras checkpoint is needed.

A converted network has its batch norm folded into weights and biases. They are trained as they stand, so the successor
has the base's operators and shapes exactly, which is what a small update of a device in the field wants.
"""

from pathlib import Path

import numpy as np

from ..base.errors import UserError
from ..base.quiet import progress
from ..tflite_file import OPERATORS, read_model
from .float_layers import LAYERS, FloatModel
from .preprocessing import to_input

_ADD, _MEAN, _PAD = "ADD", "MEAN", "PAD"
_SAME = 0  # schema.Padding.SAME


def fine_tune(
    fp32: Path, images: np.ndarray, labels: np.ndarray, *, steps: int, learning_rate: float = 1e-4, batch_size: int = 32,
    seed: int = 7,
) -> bytes:  # fmt: skip
    """The FP32 .tflite after `steps` steps of Adam on the cross entropy of `images` (N, H, W, 3, uint8) and `labels` (N,).

    UserError when the file holds an operator other than MobileNetV2's, when images and labels do not fit, or for a
    useless number of steps.
    """
    from .tf import keras, tf

    if len(images) != len(labels) or len(images) < batch_size or batch_size < 1:
        raise UserError(
            f"{len(images)} images, {len(labels)} labels: give one label an image, {batch_size} (a batch) at least."
        )
    if steps < 1 or not 0 < learning_rate < 1:
        raise UserError(f"{steps} training steps at rate {learning_rate}: give at least one, at a rate between 0 and 1.")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    network = FloatModel(fp32)
    constants = {t: tf.Variable(network[t].astype(np.float32)) for layer in network.layers for t in _constants(layer)}
    forward = _forward(fp32, network, constants, tf)
    optimizer = keras.optimizers.Adam(learning_rate)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    variables = list(constants.values())

    @tf.function(reduce_retracing=True)
    def step(inputs, targets):
        with tf.GradientTape() as tape:
            loss = loss_of(targets, forward(inputs))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    resolution = int(read_model(fp32).subgraphs[0].tensors[_input(fp32)].shape[1])
    rng = np.random.default_rng(seed)
    for _ in progress(range(steps), "fine-tuning"):
        chosen = rng.choice(len(images), batch_size, replace=False)
        step(to_input(images[chosen], resolution), labels[chosen])
    for tensor, variable in constants.items():
        network[tensor] = variable.numpy().astype(np.float64)
    return network.packed()


def _constants(layer) -> list[int]:
    return [tensor for tensor in (layer.weights, layer.bias) if tensor >= 0]


def _input(fp32: Path) -> int:
    return int(read_model(fp32).subgraphs[0].inputs[0])


def _forward(fp32: Path, network: FloatModel, constants: dict, tf):
    """The graph of the file as a function of a batch of float inputs; trained constants are read from `constants`."""
    model = read_model(fp32)
    graph, layers = model.subgraphs[0], iter(network.layers)
    steps = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if name not in (*LAYERS, _ADD, _MEAN, _PAD):
            raise UserError(f"{fp32.name} holds {name}, which this fine-tuning does not know: give a MobileNetV2 in FP32.")
        steps.append((name, operator, next(layers) if name in LAYERS else None))

    def constant(tensor: int) -> np.ndarray:
        return np.frombuffer(bytes(model.buffers[graph.tensors[tensor].buffer].data), "<i4")

    def forward(inputs):
        values = {int(graph.inputs[0]): inputs}
        for name, operator, layer in steps:
            options, first = operator.builtinOptions, values[int(operator.inputs[0])]
            if layer is not None:
                made = _layer(tf, name, options, first, constants[layer.weights])
                made = made + constants[layer.bias] if layer.bias >= 0 else made
            elif name == _ADD:
                made = first + values[int(operator.inputs[1])]
            elif name == _MEAN:
                made = tf.reduce_mean(first, axis=list(constant(int(operator.inputs[1]))), keepdims=bool(options.keepDims))
            else:
                made = tf.pad(first, constant(int(operator.inputs[1])).reshape(-1, 2))
            values[int(operator.outputs[0])] = _activation(tf, made, getattr(options, "fusedActivationFunction", 0))
        return values[int(graph.outputs[0])]

    return forward


def _layer(tf, name: str, options, x, weights):
    """TFLite stores OHWI, 1HWC (depthwise) and OI; TensorFlow wants HWIO, HWC1 and IO."""
    if name == "FULLY_CONNECTED":
        return tf.reshape(x, (-1, weights.shape[1])) @ tf.transpose(weights)
    padding = "SAME" if options.padding == _SAME else "VALID"
    strides = [1, options.strideH, options.strideW, 1]
    if name == "DEPTHWISE_CONV_2D":
        return tf.nn.depthwise_conv2d(x, tf.transpose(weights, (1, 2, 3, 0)), strides, padding)
    return tf.nn.conv2d(x, tf.transpose(weights, (1, 2, 3, 0)), strides, padding)


def _activation(tf, x, kind: int):
    return {0: lambda y: y, 1: tf.nn.relu, 3: tf.nn.relu6}[kind](x)
