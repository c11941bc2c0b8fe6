"""TensorFlow and legacy Keras, imported once and quietly. Only code that trains or converts imports this module."""

import os

from ..base.quiet import quiet

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tfmot works on Keras 2 only; must be set before TensorFlow is imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with quiet():
    import tensorflow as tf
    import tf_keras as keras

tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
