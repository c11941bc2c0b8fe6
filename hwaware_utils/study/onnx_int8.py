"""INT8 for ONNX Runtime: its own static quantisation of an FP32 .onnx into pairs of QuantizeLinear and DequantizeLinear."""

import contextlib
import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx

from ..base.errors import UserError
from ..base.quiet import quiet
from .quantization import INPUT

Ranges = dict[str, np.ndarray]  # tensor -> its least and greatest value


def measure_ranges(fp32: bytes, inputs: np.ndarray) -> Ranges:
    """The extremes of every activation of the FP32 .onnx `fp32` over all float32 `inputs` (N, H, W, 3).

    That is ONNX Runtime's default. UserError without inputs, or when they hold NaN or infinity.
    """
    if not len(inputs) or not np.isfinite(inputs).all():
        raise UserError("the calibration images are empty or hold NaN or infinity: give some uint8 images.")
    return _quantize_static(fp32, inputs, None)[1]


def quantize_onnx(fp32: bytes, ranges: Ranges) -> bytes:
    """The QDQ INT8 .onnx of an FP32 one: a weight scale a channel, activations uint8 (what x86 multiplies fastest).

    `ranges` is from `measure_ranges`: no image is needed again. Input and output stay float32. UserError when the ranges
    are those of another model.
    """
    return _quantize_static(fp32, None, ranges)[0]


def _quantize_static(fp32: bytes, inputs: np.ndarray | None, ranges: Ranges | None) -> tuple[bytes, Ranges]:
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import TensorsData, load_tensors_data, save_tensors_data
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):
        def __init__(self):
            self.rest = iter(inputs)

        def get_next(self):
            image = next(self.rest, None)
            return None if image is None else {INPUT: image[None]}

    with tempfile.TemporaryDirectory(prefix="hwaware-onnx-") as folder, _without_log(), quiet():
        source, ready, target, cache = (Path(folder) / name for name in ("fp32.onnx", "ready.onnx", "int8.onnx", "ranges.json"))
        source.write_bytes(fp32)
        if ranges is not None:
            pairs = {name: (both[:1], both[1:]) for name, both in ranges.items()}
            save_tensors_data(TensorsData(CalibrationMethod.MinMax, pairs), cache)
        quant_pre_process(source, ready, skip_symbolic_shape=True)  # all shapes are known; symbolic ones need sympy
        reader = None if inputs is None else Images()
        kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "quant_format": QuantFormat.QDQ}
        try:
            quantize_static(ready, target, reader, per_channel=True, calibration_cache_path=cache, **kinds)
        except ValueError as error:
            raise UserError(f"ONNX Runtime cannot quantise the model ({str(error)[:160]}): are the ranges its own?") from error
        onnx.checker.check_model(target, full_check=True)
        found = load_tensors_data(cache)
        both = {name: np.concatenate([np.atleast_1d(end) for end in found[name].range_value]) for name in sorted(found.keys())}
        return target.read_bytes(), both


@contextlib.contextmanager
def _without_log():
    """ONNX Runtime's quantiser warns of steps that were taken."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
