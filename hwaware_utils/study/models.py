"""The architecture with its starting weights: random, ImageNet's, or those of a stored training."""

import numpy as np

from ..base.errors import UserError
from .channels import build, channels_of
from .tf import keras


def mobilenet_v2(alpha: float, resolution: int, classes: int, weights: str = "none", dropout: float = 0.2):
    """A flat functional MobileNetV2 with a logits head (tfmot refuses nested models).

    `weights` is `none` (random), `imagenet` (alpha 1.0: Keras' cache or download) or the path of a weights file
    without the top. Raises UserError when the file does not exist or does not fit.
    """
    source = None if weights == "none" else weights
    try:
        base = keras.applications.MobileNetV2(
            input_shape=(resolution, resolution, 3), alpha=alpha, include_top=False, weights=source, pooling="avg"
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise UserError(
            f"weights {weights!r} cannot be loaded for MobileNetV2 {alpha} ({str(error)[:120]}): set `weights` or "
            "HWAWARE_WEIGHTS to a file of matching no-top weights, or allow Keras' download."
        ) from error
    model = build(channels_of(base.get_weights()), resolution, classes, dropout)
    model.set_weights(base.get_weights() + model.layers[-1].get_weights())
    return model


def with_weights(weights: list[np.ndarray], resolution: int):
    """The MobileNetV2 that has these weights, in Keras' order."""
    model = build(channels_of(weights), resolution, classes=len(weights[-1]))
    model.set_weights(weights)
    return model
