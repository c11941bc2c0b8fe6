"""Weights in 4 bits: what ai-edge-quantizer makes of a trained FP32 file, how accurate that is, and how fast LiteRT runs it.

Its rules know 4-bit weights for convolutions and fully connected layers only, so depthwise weights keep 8 bits.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.quiet import quiet
from ..base.reference import recorded_table
from ..tflite_write import compact
from .data import Dataset
from .float_layers import FloatModel, channel_statistics, output_channels
from .model_files import ModelFile, describe, measure_accuracy, measure_latency
from .quantization import INPUT, SIGNATURE, calibration_images, calibration_inputs

# name -> bits of the weights (of convolutions and fully connected layers), bits of the activations (0: float), biases corrected
FORMATS = {
    "w8": (8, 0, False),
    "w4": (4, 0, False),
    "w4 corrected": (4, 0, True),
    "w8a8 corrected": (8, 8, True),
    "w4a8": (4, 8, False),
    "w4a8 corrected": (4, 8, True),
}
DEPTHWISE_BITS = 8


def measure_int4(source: artifacts.Artifact, p, data: Dataset | None) -> pd.DataFrame:
    """The FP32 file of `source` and every one of `FORMATS`: a row each, measured now, or recorded with the same settings.

    `p` holds calibration_images, failure_images (test images), warm_up_runs, n_runs, seed and retrain. Columns: variant,
    weight_bits, activation_bits, corrected, size_bytes, accuracy (with interval, accuracy_n, agreement with FP32),
    latency_ms (with range), settings, dataset, sha256 (of the FP32 file), evidence. UserError without data and record.
    """
    fp32 = source.files["fp32"]
    settings = {"calibration_images": p.calibration_images, "seed": p.seed}
    recorded = None if p.retrain else recorded_table("int4", artifacts.sha256(fp32))
    if recorded is not None and all(recorded[k].eq(v).all() for k, v in {**settings, "accuracy_n": p.failure_images}.items()):
        return recorded
    if data is None:
        raise UserError("no 4-bit weights are recorded for these settings, and the data set is not here: set HWAWARE_DATA.")
    if p.failure_images > len(data.x_test):
        raise UserError(f"failure_images {p.failure_images}: give a number from 1 to {len(data.x_test)} (the test images).")
    inputs = calibration_inputs(fp32, calibration_images(data, p.calibration_images, p.seed))
    files = [ModelFile("fp32", "fp32", "tflite", "source", fp32.read_bytes()), *make_files(fp32, inputs)]
    chosen = np.random.default_rng(p.seed).permutation(len(data.x_test))[: p.failure_images]
    accuracy = measure_accuracy(files, data.x_test[chosen], data.y_test[chosen], files[0])
    timing = measure_latency(files, p.n_runs // 4 + 1, p.warm_up_runs)[
        ["latency_ms", "latency_ms_low", "latency_ms_high", "n_runs"]
    ]
    bits = pd.DataFrame([(32, 0, False), *FORMATS.values()], columns=["weight_bits", "activation_bits", "corrected"])
    table = pd.concat([describe(files)[["variant", "size_bytes"]], bits, accuracy, timing], axis=1)
    return table.assign(**settings, dataset=data.name, sha256=artifacts.sha256(fp32), evidence="measured")


def make_files(fp32: Path, inputs: np.ndarray) -> list[ModelFile]:
    """The file of each of `FORMATS`; float32 `inputs` (N, H, W, 3) set the ranges of integer activations and the biases."""
    means = channel_statistics(fp32, inputs)[0]
    files = []
    for name, (weight_bits, activation_bits, corrected) in FORMATS.items():
        content = corrected_biases(fp32, means, weight_bits) if corrected else fp32.read_bytes()
        made = convert(content, weight_bits, activation_bits, inputs)
        files.append(ModelFile(name, "fp32" if not activation_bits else "int8", "tflite", "ai-edge-quantizer", made))
    return files


def convert(content: bytes, weight_bits: int, activation_bits: int, inputs: np.ndarray | None = None) -> bytes:
    """The FP32 .tflite `content` with weights of 8 or 4 bits, one scale a channel, widened for float arithmetic where
    `activation_bits` is 0; with 8 everything is computed in integers, and `inputs` (N, H, W, 3) set the ranges."""
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer.calibrator import CalibrationMode

    names = qtyping.TFLOperationName
    tool = quantizer.Quantizer(bytearray(content))
    for operator, bits in {"ALL_SUPPORTED": 8, "CONV_2D": weight_bits, "FULLY_CONNECTED": weight_bits}.items():
        if activation_bits:
            tool.add_static_config(".*", names[operator], activation_bits, bits)
        else:
            tool.add_weight_only_config(".*", names[operator], bits)
    with quiet():
        statistics = None
        if activation_bits:
            samples = {SIGNATURE: [{INPUT: x[None]} for x in inputs]}
            statistics = tool.calibrate(samples, mode=CalibrationMode.CALIBRATION_PROFILER_BASED)
        return compact(bytes(tool.quantize(statistics, enable_progress_report=False).quantized_model))


def corrected_biases(fp32: Path, means: dict[int, np.ndarray], weight_bits: int) -> bytes:
    """The FP32 file with what rounding its weights takes from the mean of each channel added to the biases (Nagel 2019).

    `means` are those of `float_layers.channel_statistics`.
    """
    model = FloatModel(fp32)
    for layer in model.layers:
        if layer.bias >= 0:  # -1: the converter dropped a bias of zeros
            channels = output_channels(model[layer.weights], layer.depthwise)
            lost = channels - rounded(channels, DEPTHWISE_BITS if layer.depthwise else weight_bits)
            flat = lost.reshape(len(channels), -1, lost.shape[-1])
            mean = means[layer.source]
            model[layer.bias] = model[layer.bias] + (
                lost.reshape(len(channels), -1).sum(axis=1) * mean if layer.depthwise else flat.sum(axis=1) @ mean
            )
    return model.packed()


def rounded(channels: np.ndarray, bits: int) -> np.ndarray:
    """Weights (channels, ...) after symmetric rounding to `bits` bits, one scale a channel.

    >>> rounded(np.array([[7.0, 3.4], [0.0, 0.0]]), 4).tolist()
    [[7.0, 3.0], [0.0, 0.0]]
    """
    most = np.abs(channels).reshape(len(channels), -1).max(axis=1) / (2 ** (bits - 1) - 1)
    scale = np.where(most == 0, 1, most).reshape(-1, *[1] * (channels.ndim - 1))
    return np.round(channels / scale) * scale
