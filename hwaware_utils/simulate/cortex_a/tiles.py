"""The MACs that XNNPACK's kernels must execute for a workload: its own, with the last tile of each operator filled up.

A GEMM kernel `<rows>x<columns>` always computes whole tiles: 4 x 4 pixels are 16 rows, of which a kernel of 7 rows
makes 21. `c4` in its name means that it takes the channels of the input in fours.
"""

import math
import re

import pandas as pd

_GEMM = re.compile(r"xnn_(\w+?)_(?:\w+_)?(i?gemm)_(?:\w+_)?ukernel_(\d+)x(\d+)(?:c(\d+))?")
_DEPTHWISE = re.compile(r"xnn_(\w+?)_(?:\w+_)?dwconv_(?:\w+_)?ukernel_(\d+)p")


def filled_macs(workload: pd.DataFrame, kernels: list[str]) -> int | None:
    """Executed MACs of the workload table by the tiles of the kernels named; None when a kernel for an operator lacks.

    >>> row = {"operator": "CONV_2D", "macs": 16 * 10 * 24, "kernel": (1, 1), "output_shape": (1, 4, 4, 10)}
    >>> row |= {"dtype": "float32", "weight_dtype": "float32"}
    >>> filled_macs(pd.DataFrame([row]), ["xnn_f32_gemm_minmax_ukernel_7x8__neonfma"])  # 21 rows, 16 columns, 24 products
    8064
    """
    tiles, taps = {}, {}
    for kernel in kernels:
        if found := _GEMM.search(kernel):
            rows, columns, group = (int(number or 1) for number in found.groups()[2:])
            tiles.setdefault((found[1], found[2]), []).append((rows, columns, group))
        if found := _DEPTHWISE.search(kernel):
            taps.setdefault(found[1], []).append(int(found[2]))
    total = 0
    for row in workload[workload["macs"] > 0].itertuples():
        macs = _depthwise(row, taps) if row.operator == "DEPTHWISE_CONV_2D" else _gemm(row, tiles)
        if macs is None:
            return None
        total += macs
    return total


def _arithmetic(row) -> str:
    """The prefix of XNNPACK's kernel names: float, INT8, or INT8 weights with float activations."""
    if row.dtype == "int8":
        return "qs8"
    return "qd8" if row.weight_dtype == "int8" else "f32"


def _depthwise(row, taps: dict) -> int | None:
    needed = math.prod(row.kernel)
    fitting = [count for count in taps.get(_arithmetic(row), ()) if count >= needed]
    return row.macs // needed * min(fitting) if fitting else None


def _gemm(row, tiles: dict) -> int | None:
    pixels, filters = math.prod(row.output_shape[:-1]), row.output_shape[-1]
    pointwise = row.operator == "FULLY_CONNECTED" or tuple(row.kernel) == (1, 1)
    fitting = tiles.get((_arithmetic(row), "gemm" if pointwise else "igemm"))
    if not fitting:
        return None
    rows, columns, group = min(fitting) if pixels == 1 else max(fitting)
    window = 1 if pointwise else math.prod(row.kernel)
    channels = row.macs // (pixels * filters * window)
    return _up(pixels, rows) * _up(filters, columns) * _up(channels, group) * window


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
