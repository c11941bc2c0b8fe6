"""INT8 for some operators of a model and FP32 for the others, from one calibration.

With nothing left in float the file is the one that `quantization.quantize` makes for int8_ptq, byte for byte.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.quiet import quiet
from ..tflite_file import ids, read_model
from ..tflite_write import compact
from ..workload import load_workload
from .activation_ranges import measure_ranges
from .bias_correction import BIAS, LAYERS, with_biases
from .quantization import INPUT, SIGNATURE, calibration_inputs, measure_biases

_LAYER = re.compile(r"([^/;]+)/(?:Conv2D|depthwise|MatMul|BiasAdd)\d*(?:;|$)")


@dataclass(frozen=True)
class Calibrated:
    """What a conversion of `fp32` needs: corrected biases by tensor number, and the range of each tensor by its name."""

    fp32: Path
    biases: dict[str, np.ndarray]
    ranges: dict[str, dict]


def calibrate(fp32: Path, images: np.ndarray, biases: dict | None = None) -> Calibrated:
    """Biases (unless given) and ranges of the FP32 .tflite `fp32` from uint8 images (N, H, W, 3)."""
    from ai_edge_quantizer import recipe

    inputs = calibration_inputs(fp32, images)
    biases = measure_biases(fp32, inputs) if biases is None else biases
    samples = {SIGNATURE: [{INPUT: x[None]} for x in inputs]}
    with quiet():
        ranges = measure_ranges(fp32, with_biases(fp32, biases), samples, recipe.static_wi8_ai8())
    return Calibrated(fp32, biases, ranges)


def load_operators(fp32: Path) -> pd.DataFrame:
    """The operators that multiply: `index, name, operator, macs, weight_bytes`; `name` is the layer's in Keras."""
    table = load_workload(fp32).assign(name=layer_names(fp32))
    return table.loc[table["macs"] > 0, ["index", "name", "operator", "macs", "weight_bytes"]].reset_index(drop=True)


def layer_names(path: Path) -> list[str]:
    """A short name for each operator: the layer that the converter names in its output, or the output's own name."""
    model = read_model(path)
    public = {t.tensorIndex: t.name.decode() for s in model.signatureDefs or () for t in s.outputs}
    outputs = load_workload(path)[["name", "outputs"]].itertuples(index=False)
    return [public.get(tensors[0]) or short_name(name) for name, tensors in outputs]


def short_name(tensor: str) -> str:
    """The layer in the name that the converter gives to a tensor.

    >>> short_name("model/Conv1_relu/Relu6;model/bn_Conv1/FusedBatchNormV3;model/Conv1/Conv2D1"), short_name("model/add/add")
    ('Conv1', 'add')
    """
    found = _LAYER.search(tensor)
    first = tensor.split(";")[0].split("/")
    return found[1] if found else first[-2] if len(first) > 1 else tensor


def quantize_except(calibrated: Calibrated, floats: set[int]) -> bytes:
    """A .tflite in INT8 but for the operators with the indices `floats` of the FP32 file.

    Between the two kinds stand QUANTIZE and DEQUANTIZE. The input is float when the operators that read it are.
    """
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName

    graph, kinds = read_model(calibrated.fp32).subgraphs[0], load_workload(calibrated.fp32)["operator"]
    # A bias is corrected for the rounding of the weights beside it: float weights keep their own
    own = {str(graph.operators[index].inputs[BIAS]) for index in floats if kinds[index] in LAYERS}
    biases = {tensor: values for tensor, values in calibrated.biases.items() if tensor not in own}
    tool = quantizer.Quantizer(bytearray(with_biases(calibrated.fp32, biases)), recipe.static_wi8_ai8())
    kept = {tensor for index in floats for tensor in ids(graph.operators[index].outputs)}
    for tensor in ids(graph.inputs):
        readers = {k for k, operator in enumerate(graph.operators) if tensor in ids(operator.inputs)}
        kept |= {tensor} if readers <= floats else set()
    for tensor in sorted(kept):  # an operator's scope is the name of its output and a semicolon
        scope = f"^{re.escape(graph.tensors[tensor].name.decode())};$"
        tool.update_quantization_recipe(scope, TFLOperationName.ALL_SUPPORTED, None, AlgorithmName.NO_QUANTIZE)
    with quiet():
        return compact(bytes(tool.quantize(calibrated.ranges, enable_progress_report=False).quantized_model))
