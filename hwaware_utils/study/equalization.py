"""Cross-layer equalisation: move weight range from the channels that have too much of it to the layer before or behind.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction" (arXiv 1906.04721), section
4.1. Channel i of a first layer divided by s_i and read by a second layer times s_i is the same network, and
s_i = sqrt(r1_i / r2_i) gives both layers the same range sqrt(r1_i r2_i) in it (r: largest absolute weight).

RELU6 keeps that only where its clip does not move: relu6(a / s) s = min(relu(a), 6 s). The paper replaces RELU6 by RELU,
which is another function. Here the activation stays and the observed maximum m_i decides. A channel that comes near 6
(HEADROOM m_i + FLOOR >= 6) keeps s_i = 1; any other one gets s_i >= (HEADROOM m_i + FLOOR) / 6, so that the new clip
lies above everything observed. On the observed images the function is the same but for float rounding; on others it
is as long as no channel exceeds HEADROOM m_i + FLOOR. The channels that ruin a layer lose nothing by this limit: their
weights are large because batch norm divided by a tiny variance, so their input is tiny or never fires at all.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from .float_layers import FloatModel, Layer, channel_statistics, output_channels

HEADROOM, FLOOR, CLIP = 3.0, 0.2, 6.0
MOST_ROUNDS, CONVERGED = 50, 1e-3
# A channel whose weights are (nearly) 0 puts no limit on s; this share of the median stands in for its range.
LEAST_RANGE = 1e-3


def equalize(fp32: Path, inputs: np.ndarray) -> bytes:
    """The FP32 .tflite `fp32` with equalised weight ranges and the same function on `inputs`, float32 (N, H, W, 3).

    Works on every pair of convolutions of which the second alone reads the first: expand -> depthwise -> project of
    an inverted residual. A residual sum has several writers and stays. UserError for no or non-finite images, and
    for a model without such a pair.
    """
    largest, model = channel_statistics(fp32, inputs)[1], FloatModel(fp32)
    pairs = layer_pairs(model)
    if not pairs:
        raise UserError(f"{fp32} holds no two convolutions in a row (NONE, RELU or RELU6 between): nothing to equalise.")
    limits = {first.output: _least_scale(largest[first.output]) for first, _ in pairs if first.activation == "RELU6"}
    for _ in range(MOST_ROUNDS):
        if max(_equalize_pair(model, *pair, limits) for pair in pairs) < CONVERGED:
            break
    return model.packed()


def silence(fp32: Path, inputs: np.ndarray) -> tuple[bytes, int]:
    """The model with depthwise weights of 0 wherever the input channel was 0 on all `inputs`, and how many that are.

    They multiply nothing but zeros, so the function on `inputs` is the same; but their range counts in a scale that is
    shared. This is the experiment that names the cause; `equalize` is the cure.
    """
    largest, model, silenced = channel_statistics(fp32, inputs)[1], FloatModel(fp32), 0
    for layer in model.layers:
        if layer.depthwise:
            never = largest[layer.source] <= 0
            silenced += int((never & (_written(model, layer) > 0)).sum())
            model[layer.weights] = np.where(never, 0.0, model[layer.weights])
    return model.packed(), silenced


def layer_pairs(model: FloatModel) -> list[tuple[Layer, Layer]]:
    """Convolutions (first, second) where only the second reads what the first writes, in the order of execution."""
    readers = {layer.source: layer for layer in model.layers if layer.operator != "FULLY_CONNECTED"}
    return [
        (layer, readers[layer.output])
        for layer in model.layers
        if layer.output in readers and model.readers[layer.output] == 1 and layer.activation in ("NONE", "RELU", "RELU6")
    ]


def weight_ranges(fp32: Path) -> pd.DataFrame:
    """Largest absolute weight of every output channel of every layer of an FP32 .tflite.

    Columns: layer (number among the layers), operator, channel, weight_range, steps (how many of the 127 steps of one
    scale for the whole tensor that range spans; below 0.5 all of the channel is rounded to 0), evidence.
    """
    model = FloatModel(fp32)
    frames = []
    for number, layer in enumerate(model.layers):
        ranges = _written(model, layer)
        steps = 127 * ranges / max(ranges.max(), np.finfo(float).tiny)
        frame = {"layer": number, "operator": layer.operator, "channel": np.arange(len(ranges)), "weight_range": ranges}
        frames.append(pd.DataFrame({**frame, "steps": steps, "evidence": "measured"}))
    return pd.concat(frames, ignore_index=True)


def disparity(ranges: pd.DataFrame) -> pd.Series:
    """Largest over median weight range of each layer, worst first; `ranges` from `weight_ranges`."""
    by_layer = ranges[ranges["weight_range"] > 0].groupby("layer")["weight_range"]
    return (by_layer.max() / by_layer.median()).sort_values(ascending=False)


def compare_ranges(before: Path, after: Path) -> pd.DataFrame:
    """`weight_ranges` of the depthwise layer with the largest disparity `before`, in both files.

    Adds the columns state (before, after equalisation) and rank (0: the channel with the largest range).
    """
    ranges = weight_ranges(before)
    worst = disparity(ranges[ranges["operator"] == "DEPTHWISE_CONV_2D"]).index[0]
    states = {"before": ranges, "after equalisation": weight_ranges(after)}
    frames = [frame[frame["layer"] == worst].assign(state=state) for state, frame in states.items()]
    ranked = pd.concat(frames, ignore_index=True)
    rank = ranked.groupby("state")["weight_range"].rank(ascending=False, method="first").astype(int) - 1
    return ranked.assign(rank=rank)


def _least_scale(largest: np.ndarray) -> np.ndarray:
    """The smallest s of each channel behind a RELU6 whose largest value is given; NaN where s must be 1.

    >>> _least_scale(np.array([0.0, 1.0, 1.95])).round(3).tolist()
    [0.033, 0.533, nan]
    """
    least = (HEADROOM * largest + FLOOR) / CLIP
    return np.where(least >= 1, np.nan, least)


def _equalize_pair(model: FloatModel, first: Layer, second: Layer, limits: dict) -> float:
    """Scale the channels between two layers once; the largest |log s| of them. `limits` is what is left of each s."""
    written, read = _written(model, first), _read(model, second)
    if not written.any() or not read.any():
        return 0.0
    written = np.maximum(written, LEAST_RANGE * np.median(written[written > 0]))
    scale = np.sqrt(np.divide(written, read, out=np.ones_like(written), where=read > 0))
    least = limits.get(first.output)
    if least is not None:
        scale = np.where(np.isnan(least), 1.0, np.maximum(scale, least))
        limits[first.output] = least / scale
    model[first.weights] = model[first.weights] / _along_outputs(scale, first.depthwise, model[first.weights].ndim)
    if first.bias >= 0:
        model[first.bias] = model[first.bias] / scale
    model[second.weights] = model[second.weights] * scale  # input channels stand last in OHWI and in 1HWC
    return float(np.abs(np.log(scale)).max())


def _along_outputs(scale: np.ndarray, depthwise: bool, dimensions: int) -> np.ndarray:
    return scale if depthwise else scale.reshape(-1, *[1] * (dimensions - 1))


def _written(model: FloatModel, layer: Layer) -> np.ndarray:
    """Largest absolute weight of each channel that `layer` writes."""
    channels = output_channels(model[layer.weights], layer.depthwise)
    return np.abs(channels).reshape(len(channels), -1).max(axis=1)


def _read(model: FloatModel, layer: Layer) -> np.ndarray:
    """Largest absolute weight of each channel that `layer` reads."""
    weights = model[layer.weights]
    return np.abs(weights).reshape(-1, weights.shape[-1]).max(axis=0)
