"""Which kernel a layer gets, its constants in the order in which that kernel reads them, and the scratch memory it needs."""

from dataclasses import dataclass

import numpy as np

from ...base.errors import UserError
from .multipliers import Multiplier
from .network import CONVOLUTIONS, Layer

KERNELS = ("simd", "portable")


@dataclass
class Kernel:
    """The C function of a layer, its struct type, constant arrays (field name -> array), extra fields and scratch bytes."""

    function: str
    struct: str
    arrays: dict[str, np.ndarray]
    fields: dict[str, int]
    scratch_bytes: int = 0


def choose_kernel(layer: Layer, kernels: str) -> Kernel:
    """The kernel of `layer`. `kernels` is "simd" (portable only where no SIMD kernel fits the shape) or "portable"."""
    if kernels not in KERNELS:
        raise UserError(f"kernels {kernels!r} are unknown: use {' or '.join(KERNELS)}.")
    if layer.operator in CONVOLUTIONS:
        return _convolution(layer, simd=kernels == "simd")
    if layer.operator == "ADD":
        return _add(layer, simd=kernels == "simd")
    fields = dict(layer.numbers)
    if layer.multipliers:
        fields["multiplier"], fields["shift"] = layer.multipliers[0]
    name = layer.operator.lower()
    unused = {"mean": (), "pad": ("input_zero", "low", "high"), "quantize": ("low", "high")}[name]
    return Kernel(name, f"{name}_t", {}, {k: v for k, v in fields.items() if k not in unused})


def pack_convolution(weights: np.ndarray) -> np.ndarray:
    """OHWI int8 -> bytes for `multiply_four`: two channels a and b interleaved, of each four inputs 0, 2 and then 1, 3.

    A word holds a0 b0 a2 b2: SXTB16 takes the pair (a0, a2) out of it, and rotated by a byte (b0, b2). Inputs are
    padded with zeros to a multiple of 4, channels to a multiple of 2.
    """
    flat = weights.reshape(weights.shape[0], -1)
    channels, inputs = flat.shape
    padded = np.zeros((-(-channels // 2) * 2, -(-inputs // 4) * 4), np.int8)
    padded[:channels, :inputs] = flat
    split = padded.reshape(padded.shape[0] // 2, 2, -1, 2, 2)  # pair, channel, quad, element, half
    return split.transpose(0, 2, 4, 3, 1).ravel()


def pack_depthwise(weights: np.ndarray) -> np.ndarray:
    """1HWC int8 of a 3x3 kernel -> for each channel and row the bytes w0 w1 w1 w2."""
    return weights[0].transpose(2, 0, 1)[:, :, [0, 1, 1, 2]].ravel()


def fast_multiplier(multiplier: Multiplier) -> int:
    """2 * fraction - 2^32, for SMMLAR. `fraction` is in [2^30, 2^31), or 0 for a channel that always gives zero."""
    fraction = 2 * multiplier[0]
    return fraction - (1 << 32) if fraction >= 1 << 31 else fraction


def _is_fast(multipliers: list[Multiplier], numbers: dict) -> bool:
    in_range = all(fraction >= 1 << 30 and -31 <= shift <= -1 for fraction, shift in multipliers)
    return in_range and (numbers["low"], numbers["high"]) == (-128, 127)


def _convolution(layer: Layer, simd: bool) -> Kernel:
    n, depthwise = layer.numbers, layer.operator == "DEPTHWISE_CONV_2D"
    square = n["stride_y"] == n["stride_x"] in (1, 2) and n["dilation_y"] == n["dilation_x"] == 1
    three = n["kernel_y"] == n["kernel_x"] == 3 and n["output_channels"] == n["input_channels"] >= 4
    fractions = np.array([m for m, _ in layer.multipliers], np.int32)
    shifts = np.array([s for _, s in layer.multipliers], np.int8)
    if not simd or (depthwise and not (square and three)):
        arrays = {"weights": layer.weights.ravel(), "bias": layer.bias, "multiplier": fractions, "shift": shifts}
        return Kernel("portable_depthwise" if depthwise else "portable_convolution", "convolution_t", arrays, n)
    axes = (0, 1, 2) if depthwise else (1, 2, 3)
    sums = layer.weights.astype(np.int64).sum(axis=axes)
    bias = (layer.bias - n["input_zero"] * sums).astype(np.int32)
    fast = _is_fast(layer.multipliers, n)
    if fast:
        fractions = np.array([fast_multiplier(m) for m in layer.multipliers], np.int32)
        shifts = -shifts
    packed = pack_depthwise(layer.weights) if depthwise else pack_convolution(layer.weights)
    arrays = {"weights": packed, "bias": bias, "multiplier": fractions, "shift": shifts}
    if len(bias) % 2 and not depthwise:  # a last odd channel is computed together with a silent one
        arrays |= {name: np.append(arrays[name], arrays[name].dtype.type(0)) for name in ("bias", "multiplier", "shift")}
    if depthwise:
        pairs = (-(-n["output_width"] // 4) * 4 * n["stride_x"] + 3) // 2
        return Kernel("simd_depthwise_3x3", "convolution_t", arrays, n | {"fast": int(fast)}, 3 * 4 * 4 * pairs)
    quads = -(-n["kernel_y"] * n["kernel_x"] * n["input_channels"] // 4)
    direct = n["kernel_y"] == n["kernel_x"] == n["stride_y"] == n["stride_x"] == 1
    one_pixel = direct and n["output_height"] * n["output_width"] == 1
    scratch = 0 if one_pixel else 32 * quads + (0 if direct else 16 * quads)
    return Kernel("simd_convolution", "convolution_t", arrays, n | {"fast": int(fast)}, scratch)


def _add(layer: Layer, simd: bool) -> Kernel:
    fields = dict(layer.numbers)
    for name, (fraction, shift) in zip(("first", "second", "sum"), layer.multipliers, strict=True):
        fields |= {f"{name}_multiplier": fraction, f"{name}_shift": shift}
    if not simd or not _is_fast(layer.multipliers[2:], layer.numbers):
        return Kernel("portable_add", "add_t", {}, fields)
    fraction, shift = layer.multipliers[2]
    fields |= {"sum_multiplier": fast_multiplier((fraction, shift)), "sum_shift": -shift}
    return Kernel("simd_add", "add_t", {}, fields, 2048)
