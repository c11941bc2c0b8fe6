"""From a Keras model to an FP32 .tflite, and from there to every other number format.

The converter runs once; ai-edge-quantizer derives the rest from the FP32 file, without TensorFlow.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.quiet import quiet
from .data import Dataset
from .preprocessing import to_input

SIGNATURE = "serving_default"
INPUT = "image"
# What a converted MobileNetV2 consists of. Anything else means that batch norm or a variable was left in.
EXPECTED_OPERATORS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MEAN", "PAD", "QUANTIZE", "DEQUANTIZE"}


def convert_fp32(model) -> bytes:
    """FP32 .tflite of a Keras model at batch 1, with a signature (ai-edge-quantizer needs one)."""
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
        return tf.lite.TFLiteConverter.from_saved_model(folder).convert()


def calibration_images(data: Dataset, n: int, seed: int) -> np.ndarray:
    """`n` training images, drawn once, never from the test set. UserError when the data set has fewer."""
    if not 0 < n <= len(data.x_train):
        raise UserError(f"calibration_images {n}: give a number from 1 to {len(data.x_train)} (the training images).")
    return data.x_train[np.random.default_rng(seed).permutation(len(data.x_train))[:n]]


def quantize(fp32: Path, precision: str, images: np.ndarray | None = None) -> bytes:
    """A .tflite in `precision` (fp16, dynamic, int8_ptq) from an FP32 one.

    The two formats with 8-bit weights need uint8 calibration images: for the ranges of the activations (int8_ptq) and
    for the correction of the biases (both).
    """
    from ai_edge_quantizer import quantizer, recipe

    from .benchmark import open_model
    from .bias_correction import correct_biases

    if precision not in ("fp16", "dynamic", "int8_ptq"):
        raise UserError(f"precision {precision!r}: expected fp16, dynamic or int8_ptq.")
    if precision == "fp16":
        tool = quantizer.Quantizer(str(fp32))
        _ask_for_fp16(tool)
        with quiet():
            return bytes(tool.quantize(enable_progress_report=False).quantized_model)
    inputs = to_input(images, open_model(fp32).get_input_details()[0]["shape"][1])
    if not np.isfinite(inputs).all():
        raise UserError("the calibration images hold NaN or infinity: give uint8 images.")
    tool = quantizer.Quantizer(bytearray(correct_biases(fp32, inputs)))
    tool.load_quantization_recipe(recipe.static_wi8_ai8() if precision == "int8_ptq" else recipe.dynamic_wi8_afp32())
    with quiet():
        samples = [{INPUT: x[None]} for x in inputs]
        statistics = tool.calibrate({SIGNATURE: samples}) if precision == "int8_ptq" else None
        return bytes(tool.quantize(statistics, enable_progress_report=False).quantized_model)


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


def model_file(source: artifacts.Artifact, precision: str, p, data: Dataset | None) -> Path:
    """The file of `source` in `precision`: stored for the parameters `p` of notebook 03, or converted now.

    UserError when a conversion needs calibration images and the data set is not here.
    """
    if precision == "fp32":
        return source.files["fp32"]
    architecture = source.facts["recipe"]["architecture"]
    recipe = {"architecture": architecture, "precision": precision, "source": source.facts["files"]["fp32"]["sha256"]}
    calibrated = precision != "fp16"
    if calibrated:
        recipe |= {"calibration_images": p.calibration_images, "seed": p.seed, "biases": "corrected"}
    found = artifacts.find(artifacts.recipe_id(recipe), p.profile, p.retrain)
    if found is None:
        if calibrated and data is None:
            raise UserError(f"{architecture} in {precision} is not stored, and converting it needs images of the data set.")
        images = calibration_images(data, p.calibration_images, p.seed) if calibrated else None
        content = quantize(source.files["fp32"], precision, images)
        found = artifacts.add(recipe, p.profile, {precision: (f"{precision}.tflite", content)}, dataset=source.facts["dataset"])
    return found.files[precision]
