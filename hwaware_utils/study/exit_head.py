"""The exit head of an early exit: one small block and a classifier, trained on features that a frozen network gives."""

import numpy as np
import pandas as pd

from ..base.errors import UserError

TEMPERATURE, TEACHER_WEIGHT = 4.0, 0.7
BATCH, PEAK_RATE = 128, 3e-3


def exit_head(shape: tuple[int, int, int], classes: int, width: int):
    """A Keras model from features (h, w, c) to logits: expand, depthwise 3x3 at stride 2, mix, pool, classify.

    An inverted residual block as MobileNetV2 has them, `width` channels wide: pooling bare features first would leave
    the classifier nothing but a linear view of them.
    """
    from .tf import keras

    layers = keras.layers
    features = inputs = keras.Input(shape)
    for layer in (
        layers.Conv2D(width, 1, use_bias=False),
        layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
        layers.Conv2D(width, 1, use_bias=False),
    ):
        normalised = layers.BatchNormalization(momentum=0.9)(layer(features))
        features = layers.ReLU(6.0)(normalised)
    pooled = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(features))
    return keras.Model(inputs, layers.Dense(classes)(pooled))


def train_exit_head(features: np.ndarray, labels: np.ndarray, teacher_logits: np.ndarray, width: int, epochs: int, seed: int):
    """(Keras model, log) of an exit head trained on `features` (N, h, w, c) with labels (N,) and the final logits (N, classes).

    The loss is that of a distilled variant: 0.7 of it comes from the network's own final answer, softened (Hinton et al.
    2015). The log has a row an epoch: epoch, loss, accuracy, evidence. UserError for features that are not finite.
    """
    from .tf import keras, tf

    if features.ndim != 4 or not np.isfinite(features).all():
        raise UserError(f"the exit's features must be finite and (N, h, w, c); found {features.shape}: choose another block.")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = exit_head(features.shape[1:], teacher_logits.shape[1], width)
    steps = max(1, epochs * -(-len(features) // BATCH))
    rate = keras.optimizers.schedules.CosineDecay(PEAK_RATE, steps)

    def distilled(targets, logits):
        hard = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(targets[:, 0], tf.int32), logits)
        soft = tf.nn.log_softmax(targets[:, 1:] / TEMPERATURE)
        gap = tf.reduce_sum(tf.exp(soft) * (soft - tf.nn.log_softmax(logits / TEMPERATURE)), -1)
        return (1 - TEACHER_WEIGHT) * hard + TEACHER_WEIGHT * TEMPERATURE**2 * gap

    def accuracy(targets, logits):
        return tf.cast(tf.argmax(logits, -1) == tf.cast(targets[:, 0], tf.int64), tf.float32)

    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), distilled, metrics=[accuracy])
    targets = np.concatenate([labels[:, None], teacher_logits], axis=1).astype(np.float32)
    history = model.fit(features.astype(np.float32), targets, BATCH, epochs, verbose=0).history
    log = pd.DataFrame({"epoch": range(1, epochs + 1), "loss": history["loss"], "accuracy": history["accuracy"]})
    return model, log.assign(evidence="measured")
