"""Quantisation-aware training: fine-tune with the rounding of INT8 in the forward pass, then convert.

tfmot (the TensorFlow Model Optimization Toolkit) puts the rounding in; three of its habits are put right, each of
which costs accuracy in a short training: one scale for all channels of a depthwise kernel, activation ranges that
start at -6..6 and then move by a thousandth a step, and batch-norm statistics of single batches.
"""

import numpy as np

from ..base.errors import UserError
from ..base.quiet import quiet
from ..tflite_write import compact
from .data import Dataset
from .imitation import imitate
from .preprocessing import to_input
from .quantization import calibration_images, converter

PREFIX = "quant_"  # tfmot's, before the name of every layer
ACTIVATIONS = {"linear", "relu", "softmax", "sigmoid", "tanh", "swish", "gelu"}  # those that tfmot knows inside a layer
RANGE_IMAGES = 512  # first guess of the activation ranges; training refines it


def quantization_aware(
    model, data: Dataset, *, images: int, epochs: int = 1, learning_rate: float = 3e-5, batch_size: int = 64, seed: int = 7,
    teacher=None,
) -> bytes:  # fmt: skip
    """INT8 .tflite of a trained, flat Keras model (float32 inputs in [-1, 1], logits out), which stays as it is.

    A copy learns for `epochs` x `images` training images to give the teacher's logits in spite of the rounding;
    the teacher is the float model itself, unless another is given. Inputs and outputs of the file are int8.
    UserError names a layer that tfmot cannot quantise; ValueError when the conversion fell back to float.
    """
    from .tf import keras, tf

    if not batch_size <= images <= len(data.x_train):
        raise UserError(f"{images} images for quantisation-aware training: give {batch_size} (a batch) to {len(data.x_train)}.")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    keras.backend.reset_uids()  # tfmot's layer of the input is numbered: its name would differ from run to run
    student = with_rounding(model)
    start_ranges(student, model, to_input(calibration_images(data, min(RANGE_IMAGES, images), seed), model.input_shape[1]))
    steps = epochs * (images // batch_size)
    imitate(student, teacher or model, data, steps=steps, learning_rate=learning_rate, batch_size=batch_size, seed=seed,
            say="quantisation-aware training")  # fmt: skip
    return convert_int8(student)


def with_rounding(model):
    """A copy of the Keras model with tfmot's fake quantisers; batch norm keeps its statistics, dropout is off.

    UserError names the layer when the model is nested or holds one that tfmot does not support.
    """
    from .tf import keras

    with quiet():
        import tensorflow_model_optimization as tfmot

    scheme = _scheme(tfmot.quantization.keras, keras)
    _refuse_unsupported(model, scheme.get_quantize_registry(), keras)
    try:
        with quiet():
            annotated = tfmot.quantization.keras.quantize_annotate_model(model)
            student = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    except (RuntimeError, ValueError) as error:
        name = next((layer.name for layer in model.layers if layer.name in str(error)), model.name)
        raise UserError(f"layer {name!r} cannot be quantised by tfmot ({str(error).splitlines()[0][:120]}).") from error
    for layer in student.layers:
        inner = getattr(layer, "layer", None)
        if isinstance(inner, keras.layers.BatchNormalization):
            # `trainable = False` would freeze scale and shift too, which are what corrects the rounding's bias
            inner.call = lambda inputs, call=inner.call: call(inputs, training=False)
        elif isinstance(inner, keras.layers.Dropout):
            inner.rate = 0.0
    return student


def start_ranges(student, model, inputs: np.ndarray, batch: int = 64) -> None:
    """Set the student's activation ranges to the mean extremes, over batches of `inputs`, of the float model's layers."""
    from .tf import keras, tf

    variables = {variable.name: variable for variable in student.weights}
    ends = {}
    for layer in model.layers:
        for kind in ("output", "post_activation"):
            if (low := f"{PREFIX}{layer.name}/{kind}_min:0") in variables:
                ends[layer.name] = variables[low], variables[low.replace("_min", "_max")]
    probe = keras.Model(model.input, [model.get_layer(name).output for name in ends])

    @tf.function(reduce_retracing=True)
    def extremes(x):
        return [(tf.reduce_min(y), tf.reduce_max(y)) for y in tf.nest.flatten(probe(x, training=False))]

    found = [np.array(extremes(inputs[start : start + batch])) for start in range(0, len(inputs), batch)]
    for (low, high), (least, most) in zip(ends.values(), np.mean(found, axis=0), strict=True):
        low.assign(min(least, 0.0))  # a range must hold 0
        high.assign(max(most, 1e-3))  # a range of nothing, from a layer that never fires, makes a file that LiteRT refuses


def convert_int8(student) -> bytes:
    """The .tflite of a model with fake quantisers: batch 1, int8 in and out, signature as `quantization.convert_fp32`."""
    from .tf import tf

    with converter(student) as tool:
        tool.optimizations = [tf.lite.Optimize.DEFAULT]
        tool.inference_input_type = tool.inference_output_type = tf.int8
        return compact(tool.convert())


def _scheme(tfmot, keras):
    """tfmot's 8-bit scheme, but with a scale for every channel of a depthwise kernel, as the converter writes it."""
    from .tf import tf

    class PerChannel(tfmot.quantizers.LastValueQuantizer):
        """The kernel (h, w, channels, 1) is shown to tfmot, whose scales run along the last axis, as (h, w, 1, channels)."""

        def __init__(self):
            super().__init__(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)

        def build(self, tensor_shape, name, layer):
            return super().build(_flat(tensor_shape), name, layer)

        def __call__(self, inputs, training, weights, **kwargs):
            rounded = super().__call__(tf.reshape(inputs, _flat(inputs.shape)), training, weights, **kwargs)
            return tf.reshape(rounded, inputs.shape)

    class Registry(tfmot.default_8bit.Default8BitQuantizeRegistry):
        def get_quantize_config(self, layer):
            config = super().get_quantize_config(layer)
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                config.weight_quantizer = PerChannel()
            return config

    class Scheme(tfmot.default_8bit.Default8BitQuantizeScheme):
        def get_quantize_registry(self):
            return Registry()

    return Scheme()


def _flat(shape) -> tuple[int, int, int, int]:
    height, width, channels, multiplier = shape
    return height, width, 1, channels * multiplier


def _refuse_unsupported(model, registry, keras) -> None:
    if not isinstance(model, keras.Model) or not getattr(model, "_is_graph_network", False) or len(model.outputs) != 1:
        raise UserError(f"{type(model).__name__} is no tf_keras model of one output: build it with tf_keras' functional API.")
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            raise UserError(f"layer {layer.name!r} is a model inside the model: rebuild it flat, tfmot refuses nested models.")
        kind, activation = type(layer).__name__, getattr(getattr(layer, "activation", None), "__name__", "linear")
        known = isinstance(layer, keras.layers.InputLayer | keras.layers.BatchNormalization) or registry.supports(layer)
        if not known or activation not in ACTIVATIONS:
            raise UserError(f"layer {layer.name!r} ({kind}, {activation}) is not supported by tfmot: replace or remove it.")
