"""The .onnx files of an architecture: FP32, and INT8 by ONNX Runtime from stored ranges or from calibration images."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.results import build_dir, written_whole
from .data import Dataset
from .model_files import ModelFile
from .onnx_int8 import measure_ranges, quantize_onnx
from .quantization import calibration_images, calibration_inputs


def best_int8(variants: pd.DataFrame, architecture: str) -> pd.Series:
    """The row of variants.csv with the most accurate INT8 file of an architecture. UserError when it has none."""
    rows = variants[(variants["architecture"] == architecture) & variants["precision"].isin(["int8_ptq", "int8_qat"])]
    if rows.empty:
        raise UserError(f"variants.csv holds no INT8 file of {architecture!r}: run notebook 03 with int8_ptq or int8_qat.")
    return rows.sort_values("accuracy", ascending=False, kind="stable").iloc[0]


def onnx_int8(source: artifacts.Artifact, fp32_onnx: bytes, p, data: Dataset | None) -> bytes:
    """The QDQ INT8 .onnx of a training artifact, calibrated on the same images as its INT8 .tflite.

    The ranges are kept in the store: with them no image is needed. UserError when they are not stored and `data` is None.
    """
    recipe = {"architecture": source.facts["recipe"]["architecture"], "precision": "onnx_ranges"}
    recipe |= {"source": artifacts.sha256(source.files["fp32"]), "calibration_images": p.calibration_images, "seed": p.seed}
    found = artifacts.find(artifacts.recipe_id(recipe), p.profile, p.retrain)
    if found is None:
        if data is None:
            raise UserError(f"the ranges of {recipe['architecture']} for ONNX are not stored, and measuring them needs images.")
        images = calibration_images(data, p.calibration_images, p.seed)
        ranges, buffer = measure_ranges(fp32_onnx, calibration_inputs(source.files["fp32"], images)), io.BytesIO()
        np.savez(buffer, **ranges)
        content = {"ranges": ("onnx_ranges.npz", buffer.getvalue())}
        found = artifacts.add(recipe, p.profile, content, dataset=source.facts["dataset"])
    with np.load(found.files["ranges"], allow_pickle=False) as stored:
        return quantize_onnx(fp32_onnx, {name: stored[name] for name in stored.files})


def write_exports(files: list[ModelFile], profile: str) -> list[Path]:
    """Each file as build/<profile>/exports/<variant>.<file type>; the ending says that it is ONNX."""
    paths = []
    for file in files:
        target = build_dir(profile) / "exports" / f"{file.variant.removesuffix('-onnx')}.{file.file_type}"
        with written_whole(target) as path:
            path.write_bytes(file.content)
        paths.append(target)
    return paths
