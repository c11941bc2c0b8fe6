"""What a network's latency is made of: a few countable amounts, each with a physical reason to cost cycles.

The same formulas serve one network (arrays over its operators) and a design space (arrays over networks, one call a layer).
"""

import numpy as np
import pandas as pd

# XNNPACK's NEON kernels for 1x1 convolutions compute tiles of 6 pixels x 8 channels, full or not
# (https://github.com/google/XNNPACK, src/f32-gemm/gen/f32-gemm-6x8*).
TILE_PIXELS, TILE_CHANNELS = 6, 8
# The Cortex-M7 of every STM32H7 has a data cache of 16 KiB (data sheets DS12930, DS12110, DS13195).
CACHE_BYTES = 16 * 1024

# feature -> (unit, why it costs time)
FEATURES = {
    "pointwise_macs": ("MAC", "1x1 convolutions: matrix products, the best-tuned kernel of every runtime"),
    "pointwise_tile_macs": (
        "MAC",
        "1x1 convolutions with the unused part of their last tile of 6 pixels x 8 channels: 49 pixels cost as much as 54",
    ),
    "depthwise_macs": ("MAC", "depthwise convolutions: no reuse across channels, so fewer MACs a load than a matrix product"),
    "depthwise_reads": ("element", "what a depthwise layer reads: with stride 2 four times what it writes"),
    "other_macs": ("MAC", "the first convolution (three input channels leave vector lanes idle) and the dense head"),
    "activation_elements": ("element", "every operator reads its inputs and writes its outputs once"),
    "depthwise_bytes_beyond_cache": (
        "B",
        "what a depthwise layer reads and writes beyond the 16 KiB data cache of a Cortex-M7",
    ),
    "weights": ("weight", "each weight and bias comes from flash or memory once an inference"),
    "depthwise_rows": ("row", "a depthwise kernel is called for each output row: set-up, borders, and with threads a task"),
    "operators": ("operator", "dispatch of one operator; with threads the barrier behind it"),
}


def layer_features(wanted, kind, macs, elements, pixels, rows, inputs, outputs, weights, width, count=1) -> dict:
    """The `wanted` amounts of one layer or of an array of layers of one `kind` (pointwise, depthwise, other, movement).

    `elements` read + written, `pixels` and `rows` of the output, `inputs` and `outputs` channels, `weights` with biases,
    `width` bytes an activation element, `count` operators (0 where the layer is absent).
    Amounts that are zero for a kind are left out.
    """
    found = {"activation_elements": elements, "weights": weights, "operators": count}
    if kind == "pointwise":
        found["pointwise_macs"] = macs
        if "pointwise_tile_macs" in wanted:
            tiles = np.ceil(pixels / TILE_PIXELS) * np.ceil(outputs / TILE_CHANNELS)
            found["pointwise_tile_macs"] = tiles * (TILE_PIXELS * TILE_CHANNELS) * inputs
    elif kind == "depthwise":
        found |= {"depthwise_macs": macs, "depthwise_rows": rows, "depthwise_reads": elements - pixels * outputs}
        if "depthwise_bytes_beyond_cache" in wanted:
            found["depthwise_bytes_beyond_cache"] = np.maximum(elements * width - CACHE_BYTES, 0)
    else:
        found["other_macs"] = macs
    return {name: amount for name, amount in found.items() if name in wanted}


def workload_features(workload: pd.DataFrame) -> dict[str, float]:
    """The amounts of a workload table (`workload.load_workload`, `mobilenet_workload`), summed over its operators."""
    kinds = np.select(
        [
            (workload["operator"] == "CONV_2D") & (workload["kernel"] == (1, 1)),
            workload["operator"] == "DEPTHWISE_CONV_2D",
        ],
        ["pointwise", "depthwise"],
        "other",
    )
    totals = dict.fromkeys(FEATURES, 0.0)
    shapes = workload["output_shape"]
    columns = {
        "macs": workload["macs"],
        "elements": _elements(workload),
        "pixels": shapes.map(lambda s: s[1] * s[2] if len(s) == 4 else 1),
        "rows": shapes.map(lambda s: s[1] if len(s) == 4 else 1),
        "inputs": workload["input_shape"].map(lambda s: s[-1] if len(s) else 1),
        "outputs": shapes.map(lambda s: s[-1] if len(s) else 1),
        "weights": workload["weights"],
        "width": _widths(workload),
        # float16 files list a DEQUANTIZE for each weight, run once at load: nothing moves in an inference
        "count": (workload["activation_bytes"] > 0).astype(int),
    }
    for kind in ("pointwise", "depthwise", "other"):
        arrays = {name: column.to_numpy(float)[kinds == kind] for name, column in columns.items()}
        for name, amount in layer_features(FEATURES, kind, **arrays).items():
            totals[name] += float(np.sum(amount))
    return totals


def _widths(workload: pd.DataFrame) -> pd.Series:
    return workload["dtype"].map(lambda name: {"float32": 4, "int32": 4, "float16": 2, "int16": 2}.get(name, 1))


def _elements(workload: pd.DataFrame) -> pd.Series:
    return workload["activation_bytes"] / _widths(workload)
