"""Static quantisation of any one-input FP32 .tflite on its own float inputs, with activations of 8 or 16 bits."""

from pathlib import Path

import numpy as np

from ..base.errors import UserError
from ..base.quiet import quiet
from ..tflite_write import compact

BITS = (8, 16)


def quantize_static(fp32: Path, inputs: np.ndarray, activation_bits: int) -> bytes:
    """A .tflite with 8-bit weights and integer activations of `activation_bits` (8, or 16: "int16x8").

    `inputs` (N, ...) is float32, what the model itself would get; ranges and the biases' correction come from them.
    The model must carry a signature. UserError for other bits and for inputs that are none or not finite.
    """
    from ai_edge_quantizer import quantizer, recipe

    from .activation_ranges import measure_ranges
    from .benchmark import open_model
    from .bias_correction import correct_biases

    if activation_bits not in BITS:
        raise UserError(f"activation_bits {activation_bits!r}: expected 8 or 16.")
    if not len(inputs) or not np.isfinite(inputs).all():
        raise UserError("the calibration inputs are empty or hold NaN or infinity: give some finite ones.")
    signatures = open_model(fp32).get_signature_list()
    if not signatures:
        raise UserError(f"{fp32.name} carries no signature: convert the model again with `quantization.convert_fp32`.")
    signature, ends = next(iter(signatures.items()))
    content, rules = correct_biases(fp32, inputs), recipe.static_wi8_ai8() if activation_bits == 8 else recipe.static_wi8_ai16()
    tool = quantizer.Quantizer(bytearray(content), rules)
    with quiet():
        statistics = measure_ranges(fp32, content, {signature: [{ends["inputs"][0]: x[None]} for x in inputs]}, rules)
        return compact(bytes(tool.quantize(statistics, enable_progress_report=False).quantized_model))
