"""Thousands of MobileNets at once: each layer an array over networks, exact to the MAC and the parameter.

The same networks as `mobilenet_workload`, without a Python loop over networks (checked against it by property tests).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .latency_features import FEATURES, layer_features
from .mobilenet import V1_BLOCKS, V2_BLOCKS


class Layer(NamedTuple):
    """One layer of every network: arrays over networks. `elements` = read + written, `kernels` = weights without biases.

    All are whole numbers held as float64, exact to 2^53 and several times as fast as int64.
    """

    kind: str
    macs: np.ndarray
    elements: np.ndarray
    pixels: np.ndarray
    rows: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    kernels: np.ndarray
    biases: np.ndarray
    count: np.ndarray | float = 1.0

    def features(self, wanted, width: int) -> dict:
        """The layer's `wanted` amounts (`latency_features.layer_features`) with `width` bytes an activation element."""
        weights = self.kernels + self.biases
        return layer_features(wanted, *self[:7], weights, width, self.count)


def layers(family: str, alphas, resolutions, classes, channels) -> Iterator[Layer]:
    """The layers of the networks in order of execution; all arguments but `family` are float arrays of one shape."""
    walk = _walk_v1 if family == "mobilenet_v1" else _walk_v2
    side, width = yield from walk(alphas, resolutions, channels)
    yield Layer("movement", side * 0, (side * side + 1) * width, side * 0 + 1, side * 0 + 1, width, width, side * 0, side * 0)
    yield Layer("other", width * classes, width + classes, side * 0 + 1, side * 0 + 1, width, classes, width * classes, classes)


def feature_table(family: str, alphas, resolutions, classes, channels=3, width: int = 1) -> dict[str, np.ndarray]:
    """Every feature of `latency_features.FEATURES` -> array over the networks."""
    arrays = as_arrays(alphas, resolutions, classes, channels)
    totals = {name: np.zeros(arrays[0].shape) for name in FEATURES}
    for layer in layers(family, *arrays):
        for name, amount in layer.features(FEATURES, width).items():
            totals[name] += amount
    return totals


def as_arrays(alphas, resolutions, classes, channels) -> tuple[np.ndarray, ...]:
    """The four arguments as float arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (alphas, resolutions, classes, channels))))


def _conv(side, inputs, outputs, kernel=1, stride=1):
    after = np.ceil(side / stride)
    pixels, kernels = after * after, inputs * outputs * (kernel * kernel)
    elements = side * side * inputs + pixels * outputs
    kind = "pointwise" if kernel == 1 else "other"
    return Layer(kind, pixels * kernels, elements, pixels, after, inputs, outputs, kernels, outputs), after


def _depthwise(side, width, stride):
    after = np.ceil(side / stride)
    pixels = after * after
    elements = (side * side + pixels) * width
    return Layer("depthwise", pixels * width * 9, elements, pixels, after, width, width, 9 * width, width), after


def _walk_v1(alphas, side, channels):
    width = np.floor(32 * alphas)
    layer, side = _conv(side, channels, width, 3, 2)
    yield layer
    for filters, stride in V1_BLOCKS:
        layer, side = _depthwise(side, width, stride)
        yield layer
        layer, side = _conv(side, width, np.floor(filters * alphas))
        yield layer
        width = layer.outputs
    return side, width


def _walk_v2(alphas, side, channels):
    width = _rounded(32 * alphas)
    layer, side = _conv(side, channels, width, 3, 2)
    yield layer
    for expansion, filters, repeats, first_stride in V2_BLOCKS:
        out = _rounded(filters * alphas)
        for repeat in range(repeats):
            stride, expanded = first_stride if repeat == 0 else 1, width * expansion
            if expansion > 1:
                yield _conv(side, width, expanded)[0]
            layer, side = _depthwise(side, expanded, stride)
            yield layer
            yield _conv(side, expanded, out)[0]
            if stride == 1:  # a residual addition where the channels agree, which depends on alpha's rounding
                added, zero = (width == out).astype(float), side * 0
                yield Layer("movement", zero, 3 * side * side * out * added, zero + 1, side, out, out, zero, zero, added)
            width = out
    last = np.where(alphas > 1, _rounded(1280 * alphas), 1280)
    yield _conv(side, width, last)[0]
    return side, last


def _rounded(channels):
    """`mobilenet.round_channels` for an array."""
    rounded = np.maximum(8, np.floor((channels + 4) / 8) * 8)
    return rounded + 8 * (rounded < 0.9 * channels)
