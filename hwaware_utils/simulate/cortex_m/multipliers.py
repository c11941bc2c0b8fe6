"""Fixed-point multipliers as TFLite computes them: a scale becomes a 31-bit fraction and a power of two.

Source: tensorflow/lite/kernels/internal/quantization_util.cc (`QuantizeMultiplier`), kernel_util.cc and the `Prepare`
functions of the operators. Where TFLite multiplies in single precision, so does this file: one bit decides a logit.
"""

import math

import numpy as np

Multiplier = tuple[int, int]  # fraction of 2^31, power of two (negative: shift right)


def quantize_multiplier(scale: float) -> Multiplier:
    """`scale` = fraction / 2^31 * 2^shift, with the fraction in [2^30, 2^31). ValueError for what 32 bits cannot shift.

    >>> quantize_multiplier(0.25)
    (1073741824, -1)
    """
    if not 0 <= scale < 1 << 31:
        raise ValueError(f"a ratio of scales is {scale:g}")
    if scale == 0:
        return 0, 0
    mantissa, shift = math.frexp(scale)
    fraction = math.floor(mantissa * (1 << 31) + 0.5)
    if fraction == 1 << 31:
        fraction, shift = fraction // 2, shift + 1
    return (fraction, shift) if shift >= -31 else (0, 0)


def channel_multipliers(input_scale, weight_scales, output_scale, channels: int, dense: bool) -> list[Multiplier]:
    """One multiplier a channel. A dense layer with one weight scale multiplies in single precision, all others in double."""
    if dense and len(weight_scales) == 1:
        product = float(np.float32(input_scale) * np.float32(weight_scales[0]))
        return [quantize_multiplier(product / float(output_scale))] * channels
    scales = [float(input_scale) * float(scale) / float(output_scale) for scale in weight_scales]
    return [quantize_multiplier(scale) for scale in (scales if len(scales) > 1 else scales * channels)]


def add_multipliers(first_scale, second_scale, output_scale) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Multipliers of both inputs (shifted left by 20 bits first) and of the sum."""
    twice_largest = 2 * float(max(first_scale, second_scale))
    sum_scale = twice_largest / ((1 << 20) * float(output_scale))
    return (
        quantize_multiplier(float(first_scale) / twice_largest),
        quantize_multiplier(float(second_scale) / twice_largest),
        quantize_multiplier(sum_scale),
    )


def mean_multiplier(input_scale, output_scale, count: int) -> Multiplier:
    """Multiplier of a sum of `count` elements; the division by `count` is folded into the fraction, as TFLite does it."""
    fraction, shift = quantize_multiplier(float(input_scale) / float(output_scale))
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (fraction << bits) // count, shift - bits


def activation_range(activation: str, scale, zero_point: int) -> tuple[int, int]:
    """Smallest and largest int8 output that the fused activation lets through."""

    def quantized(value: float) -> int:
        # Rounds half away from zero, in single precision
        ratio = float(np.float32(value) / np.float32(scale))
        return zero_point + int(math.copysign(math.floor(abs(ratio) + 0.5), ratio))

    bounds = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}[activation]
    low = -128 if bounds[0] is None else max(-128, quantized(bounds[0]))
    high = 127 if bounds[1] is None else min(127, quantized(bounds[1]))
    return low, high
