"""The plain INT8 conversion, biases as they come, with one weight scale a channel or a tensor, and what mends the latter.

`quantization.quantize` is the right way; this is for experiments that leave something out.
"""

from pathlib import Path

import numpy as np

from ..base.errors import UserError
from ..base.quiet import quiet
from .float_layers import FloatModel, channel_statistics, output_channels
from .quantization import INPUT, SIGNATURE


def convert_int8(fp32: Path, inputs: np.ndarray, one_scale: tuple[str, ...] = ()) -> bytes:
    """The INT8 .tflite of `fp32`; float32 `inputs` (N, H, W, 3) set the ranges, whatever their values are.

    Operators named in `one_scale` (CONV_2D, ...) get one weight scale a tensor, all others one a channel. UserError
    for no or non-finite inputs.
    """
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer.calibrator import CalibrationMode

    if not len(inputs) or not np.isfinite(inputs).all():
        raise UserError("the calibration images are empty or hold NaN or infinity: give some uint8 images.")
    tool = quantizer.Quantizer(str(fp32))
    names, grain = qtyping.TFLOperationName, qtyping.QuantGranularity
    tool.add_static_config(".*", names.ALL_SUPPORTED, 8, 8, grain.CHANNELWISE)
    for operator in one_scale:
        tool.add_static_config(".*", names(operator), 8, 8, grain.TENSORWISE)
    with quiet():
        samples = {SIGNATURE: [{INPUT: x[None]} for x in inputs.astype(np.float32)]}
        # The default mode hands every tensor of every sample to Python: the same ranges, six times slower
        statistics = tool.calibrate(samples, mode=CalibrationMode.CALIBRATION_PROFILER_BASED)
        return bytes(tool.quantize(statistics, enable_progress_report=False).quantized_model)


def convert_weights(fp32: Path) -> bytes:
    """The .tflite of `fp32` with 8-bit weights, one scale a tensor in every layer, that are widened for float arithmetic.

    Not as dynamic range: with one scale a tensor that gave chance level even on a network that INT8 with one scale a
    tensor left at 0.83, so it would show its kernels and not the weights.
    """
    from ai_edge_quantizer import qtyping, quantizer

    tool = quantizer.Quantizer(str(fp32))
    tool.add_weight_only_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8, qtyping.QuantGranularity.TENSORWISE)
    with quiet():
        return bytes(tool.quantize(enable_progress_report=False).quantized_model)


def correct_biases(fp32: Path, inputs: np.ndarray) -> bytes:
    """`bias_correction.correct_biases` for one weight scale a tensor instead of one a channel."""
    means, model = channel_statistics(fp32, inputs)[0], FloatModel(fp32)
    for layer in model.layers:
        if layer.bias >= 0:  # -1: the converter dropped a bias of zeros
            lost = mean_loss(model[layer.weights], means[layer.source], layer.depthwise)
            model[layer.bias] = model[layer.bias] + lost
    return model.packed()


def mean_loss(weights: np.ndarray, mean_input: np.ndarray, depthwise: bool) -> np.ndarray:
    """What rounding with one scale a tensor takes from the mean of each output channel.

    >>> mean_loss(np.array([[127.0, 0.0], [0.4, 2.0]]), np.array([10.0, 1.0]), False).tolist()  # 0.4 is rounded to 0
    [0.0, 4.0]
    """
    channels = output_channels(weights, depthwise)
    scale = np.abs(channels).max() / 127 or 1.0
    error = channels - np.round(channels / scale) * scale
    if depthwise:
        return error.reshape(len(channels), -1).sum(axis=1) * mean_input
    return error.reshape(len(channels), -1, channels.shape[-1]).sum(axis=1) @ mean_input
