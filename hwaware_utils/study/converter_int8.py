"""INT8 by TensorFlow's own converter: the tool that most tutorials use, for comparison."""

from pathlib import Path

import numpy as np

from ..base.artifacts import Artifact
from ..base.errors import UserError
from ..base.quiet import quiet
from ..tflite_write import compact
from .quantization import calibration_inputs, converter


def convert_int8(source: Artifact, images: np.ndarray) -> bytes:
    """The INT8 .tflite of the Keras model of a training artifact, calibrated on uint8 `images` (N, H, W, 3).

    A weight scale a channel, input and output INT8, as `quantization.quantize` makes them. The converter needs the model
    itself, not its FP32 file: UserError when the artifact has no weights, and for no or non-finite images.
    """
    if "weights" not in source.files:
        raise UserError(f"{source.name} is stored without its Keras weights: TensorFlow's converter cannot start from a file.")
    inputs = calibration_inputs(Path(source.files["fp32"]), images)
    from .tf import tf
    from .trained import keras_model

    with converter(keras_model(source)) as tool, quiet():
        tool.optimizations = [tf.lite.Optimize.DEFAULT]
        tool.representative_dataset = lambda: ([x[None]] for x in inputs)
        tool.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        tool.inference_input_type = tool.inference_output_type = tf.int8
        return compact(tool.convert())
