"""Where the error of a quantised model grows: signal-to-quantisation-noise ratio of every operator's output."""

from pathlib import Path

import numpy as np
import pandas as pd
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from ..base import artifacts
from ..base.errors import UserError
from ..base.quiet import progress, quiet
from ..base.reference import required_table
from ..tflite_file import read_model
from .benchmark import quantize_input
from .partial_int8 import layer_names
from .quantization import calibration_inputs

CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")  # stand between number formats and have no twin in the FP32 file


def ratio_db(signal: float, noise: float) -> float:
    """10 log10(signal / noise) of two sums of squares; infinite where nothing was lost.

    >>> ratio_db(100.0, 1.0), ratio_db(4.0, 0.0)
    (20.0, inf)
    """
    return float(10 * np.log10(signal / noise)) if noise else float("inf")


def measure_sqnr(fp32: Path, quantised: Path, inputs: np.ndarray) -> pd.DataFrame:
    """10 log10(sum x^2 / sum (x - x_hat)^2) of each operator's output x over all `inputs`, float32 (N, H, W, 3).

    x is the tensor in the FP32 .tflite, x_hat the one in the other file as real numbers; both run on the plain kernels,
    the only ones that keep the tensors. The error of an operator holds that of all operators before it.
    Columns: index (in the FP32 file), name, operator, sqnr_db, evidence. UserError when the files hold other operators.
    """
    if not len(inputs):
        raise UserError("0 inputs: give at least one image to measure the SQNR with.")
    plain, other = _open(fp32), _open(quantised)
    pairs = _pairs(plain, other, f"{quantised.name} is no quantised form of {fp32.name}")
    sums = np.zeros((len(pairs), 2))
    for x in progress(inputs, "comparing tensors"):
        for model in (plain, other):
            detail = model.get_input_details()[0]
            model.set_tensor(detail["index"], quantize_input(x[None], detail))
            model.invoke()
        for row, (_, here, there) in enumerate(pairs):
            exact = plain.get_tensor(here).astype(np.float64)
            sums[row] += np.square(exact).sum(), np.square(exact - _real_values(other, there)).sum()
    kept = pd.DataFrame([operator for operator, _, _ in pairs]).rename(columns={"op_name": "operator"})
    names = layer_names(fp32)
    kept["name"] = [names[index] for index in kept["index"]]
    kept["sqnr_db"] = [ratio_db(*both) for both in sums]
    return kept[["index", "name", "operator", "sqnr_db"]].assign(evidence="measured")


def describe_sqnr(fp32: Path, quantised: Path, images: np.ndarray | None, name: str = "sqnr") -> pd.DataFrame:
    """`measure_sqnr` over uint8 `images`, or without them what `name`.csv recorded for the quantised file.

    A column `sha256`, that of the quantised file, says whose it is. UserError when there are neither images nor a record.
    """
    checksum = artifacts.sha256(quantised)
    if images is not None:
        return measure_sqnr(fp32, quantised, calibration_inputs(fp32, images)).assign(sha256=checksum)
    return required_table(name, checksum, quantised.name)


def _open(model: Path) -> Interpreter:
    read_model(model)  # refuses what is no .tflite before native code sees it
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with quiet():
            interpreter = Interpreter(str(model), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{model} cannot be run by LiteRT's plain kernels ({str(error).splitlines()[0]}).") from error
    return interpreter


def _pairs(plain: Interpreter, other: Interpreter, message: str) -> list[tuple[dict, int, int]]:
    """(operator, its output in the one file, in the other): the same kinds in the same order, the same shapes."""
    ours, theirs = ([o for o in model._get_ops_details() if o["op_name"] not in CONVERSIONS] for model in (plain, other))
    if [o["op_name"] for o in ours] != [o["op_name"] for o in theirs]:
        raise UserError(f"{message}: {len(theirs)} operators are not those {len(ours)} of the FP32 file in their order.")
    pairs = [(one, one["outputs"][0], two["outputs"][0]) for one, two in zip(ours, theirs, strict=True)]
    for operator, here, there in pairs:
        shapes = [tuple(model.get_tensor(t).shape) for model, t in ((plain, here), (other, there))]
        if shapes[0] != shapes[1]:
            raise UserError(f"{message}: operator {operator['index']} writes {shapes[1]} instead of {shapes[0]}.")
    return pairs


def _real_values(model: Interpreter, tensor: int) -> np.ndarray:
    values = model.get_tensor(tensor)
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    scale, zero_point = model._get_tensor_details(tensor, 0)["quantization"]
    return (values.astype(np.float64) - zero_point) * scale
