"""A .tflite as .onnx: converted by tf2onnx in a process of its own, since that loads TensorFlow."""

import sys
import tempfile
from pathlib import Path

import onnx

from ..base.errors import UserError
from ..base.processes import run
from ..workload import load_workload
from .onnx_graph import canonical

OPSET = 18
_PROGRAM = """
import sys, tf2onnx.convert
for source, target in zip(sys.argv[2::2], sys.argv[3::2]):
    tf2onnx.convert.from_tflite(source, opset=int(sys.argv[1]), output_path=target)
"""


def to_onnx(models: list[Path], timeout_s: float = 600) -> list[bytes]:
    """The .onnx of each .tflite, checked by ONNX's checker; the same file gives the same bytes.

    FP32 stays FP32, INT8 becomes pairs of QuantizeLinear and DequantizeLinear with the file's own scales, its input and
    output INT8. UserError when a file is missing or damaged, mixes INT8 and float layers (tf2onnx cannot), the conversion
    fails, or all of them together take longer than `timeout_s`.
    """
    for model in models:
        if len(kinds := layer_types(model)) > 1:
            raise UserError(f"{model.name} mixes {' and '.join(sorted(kinds))} layers: tf2onnx takes FP32 or INT8 files only.")
    with tempfile.TemporaryDirectory(prefix="hwaware-onnx-") as folder:
        targets = [Path(folder) / f"{number}.onnx" for number in range(len(models))]
        pairs = [part for pair in zip((model.resolve() for model in models), targets, strict=True) for part in pair]
        what = f"tf2onnx on {', '.join(model.name for model in models)}"
        run([sys.executable, "-c", _PROGRAM, OPSET, *pairs], what, timeout_s, cwd=folder)
        return [_checked(target, model) for target, model in zip(targets, models, strict=True)]


def fp32_to_onnx(models: list[Path], timeout_s: float = 600) -> list[bytes]:
    """`to_onnx` for FP32 files: UserError for any other one."""
    for model in models:
        if (kinds := layer_types(model)) != {"float32"}:
            raise UserError(f"{model.name} has {' and '.join(sorted(kinds)) or 'no'} layers: give the FP32 .tflite.")
    return to_onnx(models, timeout_s)


def layer_types(model: Path) -> set[str]:
    """The number formats in which the layers of a .tflite that multiply compute: {'float32'}, {'int8'} or both."""
    work = load_workload(model)
    return set(work.loc[work["macs"] > 0, "dtype"])


def _checked(target: Path, source: Path) -> bytes:
    model = canonical(onnx.load(target))
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise UserError(f"tf2onnx made no valid ONNX model of {source.name} ({str(error).splitlines()[0][:160]}).") from error
    return model.SerializeToString(deterministic=True)
