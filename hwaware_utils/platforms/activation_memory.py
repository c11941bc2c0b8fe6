"""Activation compression: what the tensor arena of one network takes in FP32, INT16 and INT8, and what that costs.

The planned arena is `plan_arena` on the tensors of the real file. The measured one is LiteRT's own: the range of
addresses that its planner gave to the activations. It also keeps the input until the end, which the plan does not.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from ..base import artifacts
from ..base.errors import UserError
from ..base.quiet import quiet
from ..base.reference import required_table
from ..study.benchmark import open_model, predict_tflite, wilson_interval
from ..study.data import Dataset
from ..study.precisions import model_file
from ..study.quantization import calibration_images, calibration_inputs
from ..study.static_quantization import quantize_static
from ..workload import load_tensors, load_workload
from .memory import arena_bytes, live_bytes


def quantize_int16(fp32: Path, images: np.ndarray) -> bytes:
    """The FP32 .tflite with 16-bit activations and 8-bit weights, calibrated on uint8 `images` (N, H, W, 3)."""
    return quantize_static(fp32, calibration_inputs(fp32, images), 16)


def describe_activations(source: artifacts.Artifact, p, data: Dataset | None, name: str = "activations") -> pd.DataFrame:
    """`compare_activations` for the training artifact `source` in FP32, INT16 and INT8, or what `name`.csv recorded for it.

    Of the parameters `p`: activation_images (test images), calibration_images, seed, profile, retrain. A column
    `sha256`, that of the FP32 file, says whose it is. UserError when there is neither data nor a record.
    """
    checksum = source.facts["files"]["fp32"]["sha256"]
    if data is None:
        return required_table(name, checksum, source.name)
    int8 = model_file(source, "int8_ptq", p, data)
    files = {"fp32": source.files["fp32"], "int16x8": _int16_file(source, p, data), "int8_ptq": int8}
    return compare_activations(files, data, p.activation_images, p.seed).assign(sha256=checksum)


def _int16_file(source: artifacts.Artifact, p, data: Dataset) -> Path:
    recipe = {"architecture": source.facts["recipe"]["architecture"], "precision": "int16x8", "seed": p.seed}
    recipe |= {"source": source.facts["files"]["fp32"]["sha256"]}
    recipe |= {"calibration_images": p.calibration_images, "ranges": "mean extremes, outputs whole"}
    found = artifacts.find(artifacts.recipe_id(recipe), p.profile, p.retrain)
    if found is None:
        content = quantize_int16(source.files["fp32"], calibration_images(data, p.calibration_images, p.seed))
        found = artifacts.add(recipe, p.profile, {"int16x8": ("int16x8.tflite", content)}, dataset=data.name)
    return found.files["int16x8"]


def measure_arena_bytes(model: Path) -> int:
    """Bytes from the first to the last activation in LiteRT's arena, scratch between them included, at batch 1.

    Plain kernels: XNNPACK would hide the activations in buffers of its own. UserError for a file LiteRT refuses.
    """
    open_model(model)  # the clear sentence for an unusable file
    with quiet():
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=model.read_bytes(), experimental_op_resolver_type=plain)
        interpreter.allocate_tensors()
    ends = []
    for tensor in load_tensors(model)["tensor"]:
        view = interpreter.tensor(tensor)()
        start = view.__array_interface__["data"][0]
        ends += [start, start + view.nbytes]
    return max(ends) - min(ends)


def compare_activations(files: dict[str, Path], data: Dataset, n: int, seed: int = 7) -> pd.DataFrame:
    """A row a number format of one network: `files` maps its name to the .tflite; the first is what ratios refer to.

    Columns: precision, arena_kib (planned), arena_evidence, measured_arena_kib, ratio (planned, to the first row),
    peak_operator and peak_name (where most is alive), accuracy on the same `n` test images with its interval,
    accuracy_n, dataset, evidence (of the accuracy and of measured_arena_kib).
    """
    if not 0 < n <= len(data.x_test):
        raise UserError(f"{n} images to test on: give a number from 1 to {len(data.x_test)} (the test images).")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(data.x_test))[:n])
    rows = []
    for precision, model in files.items():
        operators, tensors = load_workload(model), load_tensors(model)
        peak = operators.iloc[int(live_bytes(tensors)["live_bytes"].idxmax())]
        logits = predict_tflite(model, data.x_test[chosen], say=f"testing {precision}")
        correct = int((logits.argmax(-1) == data.y_test[chosen]).sum())
        low, high = wilson_interval(correct, n)
        rows.append({
            "precision": precision, "arena_kib": arena_bytes(tensors) / 1024, "arena_evidence": "modelled",
            "measured_arena_kib": measure_arena_bytes(model) / 1024, "peak_operator": int(peak["index"]),
            "peak_name": f"{peak['operator']} {'x'.join(map(str, peak['output_shape'][1:]))}", "accuracy": correct / n,
            "accuracy_low": low, "accuracy_high": high, "accuracy_n": n, "dataset": data.name, "evidence": "measured",
        })  # fmt: skip
    table = pd.DataFrame(rows)
    table.insert(4, "ratio", table["arena_kib"] / table["arena_kib"].iloc[0])
    return table
