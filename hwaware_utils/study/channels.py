"""MobileNetV2 of any channel counts: what a pruned network is rebuilt as. Layer names are those of Keras' MobileNetV2."""

import numpy as np

from .tf import keras
from .widths import Channels, joined

# Keras' 0.999 leaves stale statistics after a short fine-tuning: training accuracy rises, test accuracy does not.
BATCH_NORM_MOMENTUM = 0.9
STRIDED = (1, 3, 6, 13)  # the blocks that halve the image; the stem does too


def channels_of(weights: list[np.ndarray]) -> Channels:
    """The channel counts of a MobileNetV2 from its weights in Keras' order."""
    kernels = [w.shape for w in weights if w.ndim == 4]
    stem, blocks, head = kernels[0], kernels[1:-1], kernels[-1]
    pointwise = [shape[3] for shape in blocks if shape[:2] == (1, 1)]
    return Channels(stem[3], tuple(pointwise[1::2]), tuple(pointwise[::2]), head[3])


def build(channels: Channels, resolution: int, classes: int, dropout: float = 0.2):
    """A flat functional MobileNetV2 with these channel counts and a logits head, weights random."""
    layers = keras.layers

    def normed(x, name, activate):
        x = layers.BatchNormalization(epsilon=1e-3, momentum=BATCH_NORM_MOMENTUM, name=name)(x)
        return layers.ReLU(6.0, name=activate)(x) if activate else x

    def depthwise(x, name, strided):
        if strided:
            # as Keras' correct_pad: an even image gets its extra row and column on the far side
            before = (x.shape[1] or 0) % 2
            x = layers.ZeroPadding2D(((before, 1), (before, 1)), name=f"{name}_pad".replace("depthwise_", ""))(x)
        x = layers.DepthwiseConv2D(
            3, strides=2 if strided else 1, padding="valid" if strided else "same", use_bias=False, name=name
        )(x)
        return normed(x, f"{name}_BN", f"{name}_relu")

    inputs = keras.Input((resolution, resolution, 3))
    x = layers.Conv2D(channels.stem, 3, strides=2, padding="same", use_bias=False, name="Conv1")(inputs)
    x = normed(x, "bn_Conv1", "Conv1_relu")
    for block, width in enumerate(channels.project):
        prefix, before = ("expanded_conv", x) if block == 0 else (f"block_{block}", x)
        if block:
            x = layers.Conv2D(channels.expand[block - 1], 1, use_bias=False, name=f"{prefix}_expand")(x)
            x = normed(x, f"{prefix}_expand_BN", f"{prefix}_expand_relu")
        x = depthwise(x, f"{prefix}_depthwise", block in STRIDED)
        x = layers.Conv2D(width, 1, use_bias=False, name=f"{prefix}_project")(x)
        x = normed(x, f"{prefix}_project_BN", None)
        if joined(block):
            x = layers.Add(name=f"{prefix}_add")([before, x])
    x = layers.Conv2D(channels.head, 1, use_bias=False, name="Conv_1")(x)
    x = normed(x, "Conv_1_bn", "out_relu")
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout, seed=0, rng_type="stateful", name="dropout")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x))
