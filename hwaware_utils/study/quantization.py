"""From a Keras model to an FP32 .tflite, and from there to every other number format.

The converter runs once; ai-edge-quantizer derives the rest from the FP32 file, without TensorFlow.
"""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import quiet
from ..tflite_write import compact
from .data import Dataset
from .preprocessing import to_input

SIGNATURE = "serving_default"
INPUT = "image"
# What a converted MobileNetV2 consists of. Anything else means that batch norm or a variable was left in.
EXPECTED_OPERATORS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MEAN", "PAD", "QUANTIZE", "DEQUANTIZE"}


def convert_fp32(model) -> bytes:
    """FP32 .tflite of a Keras model at batch 1, with a signature (ai-edge-quantizer needs one)."""
    with converter(model) as tool:
        return tool.convert()


@contextlib.contextmanager
def converter(model):
    """A TFLiteConverter of a Keras model: batch 1, float32 input `image`, output `logits`, signature `serving_default`."""
    from .tf import tf

    class Served(tf.Module):
        pass

    served = Served()
    served.variables_kept = list(model.variables)
    shape = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name=INPUT)
    served.call = tf.function(lambda image: {"logits": model(image, training=False)}, input_signature=[shape])
    # A bare module saves in 2 s where model.save takes 15; both give the same .tflite
    with tempfile.TemporaryDirectory() as folder, quiet():
        tf.saved_model.save(served, folder, signatures={SIGNATURE: served.call.get_concrete_function()})
        yield tf.lite.TFLiteConverter.from_saved_model(folder)


def calibration_images(data: Dataset, n: int, seed: int) -> np.ndarray:
    """`n` training images, drawn once, never from the test set. UserError when the data set has fewer."""
    if not 0 < n <= len(data.x_train):
        raise UserError(f"calibration_images {n}: give a number from 1 to {len(data.x_train)} (the training images).")
    return data.x_train[np.random.default_rng(seed).permutation(len(data.x_train))[:n]]


def quantize(fp32: Path, precision: str, images: np.ndarray | None = None, biases: dict | None = None) -> bytes:
    """A .tflite in `precision` (fp16, dynamic, int8_ptq) from an FP32 one.

    The two formats with 8-bit weights need uint8 calibration images: int8_ptq for the ranges of the activations, and
    both for the corrected biases, unless these are given (`bias_correction.corrected_biases`).
    """
    from ai_edge_quantizer import quantizer, recipe

    from .activation_ranges import measure_ranges
    from .bias_correction import with_biases

    if precision not in ("fp16", "dynamic", "int8_ptq"):
        raise UserError(f"precision {precision!r}: expected fp16, dynamic or int8_ptq.")
    if precision == "fp16":
        tool = quantizer.Quantizer(str(fp32))
        _ask_for_fp16(tool)
        with quiet():
            return bytes(tool.quantize(enable_progress_report=False).quantized_model)
    inputs = None if images is None else calibration_inputs(fp32, images)
    content = with_biases(fp32, measure_biases(fp32, inputs) if biases is None else biases)
    rules = recipe.static_wi8_ai8() if precision == "int8_ptq" else recipe.dynamic_wi8_afp32()
    tool = quantizer.Quantizer(bytearray(content), rules)
    with quiet():
        samples = {SIGNATURE: [{INPUT: x[None]} for x in inputs]} if precision == "int8_ptq" else {}
        statistics = measure_ranges(fp32, content, samples, rules) if samples else None
        return compact(bytes(tool.quantize(statistics, enable_progress_report=False).quantized_model))


def measure_biases(fp32: Path, inputs: np.ndarray | None) -> dict[str, np.ndarray]:
    """`bias_correction.corrected_biases`. UserError without inputs."""
    from .bias_correction import corrected_biases

    if inputs is None:
        raise UserError(f"{fp32.name}: 8-bit weights need calibration images (or corrected biases).")
    return corrected_biases(fp32, inputs)


def calibration_inputs(fp32: Path, images: np.ndarray) -> np.ndarray:
    """uint8 images as this model's float input. UserError when there is none or when one is not finite."""
    from .benchmark import open_model

    if not len(images):
        raise UserError("the calibration set is empty: give some hundred training images.")
    inputs = to_input(images, open_model(fp32).get_input_details()[0]["shape"][1])
    if not np.isfinite(inputs).all():
        raise UserError("the calibration images hold NaN or infinity: give uint8 images.")
    return inputs


def _ask_for_fp16(tool) -> None:
    from ai_edge_quantizer import qtyping

    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
    )
    every = qtyping.TFLOperationName.ALL_SUPPORTED
    tool.update_quantization_recipe(".*", every, config, algorithm_key="float_casting")


def assert_operators(workload: pd.DataFrame, precision: str) -> None:
    """Raise ValueError when a conversion left something behind: an operator that should be gone, or a float fallback."""
    unexpected = set(workload["operator"]) - EXPECTED_OPERATORS
    if unexpected:
        raise ValueError(
            f"the {precision} conversion holds {', '.join(sorted(unexpected))}: batch norm or variables were not folded."
        )
    heavy = workload[workload["macs"] > 0]
    if precision.startswith("int8") and (heavy["dtype"] != "int8").any():
        left = heavy.loc[heavy["dtype"] != "int8", "name"].iloc[0]
        raise ValueError(f"the {precision} conversion fell back to float at {left}.")
