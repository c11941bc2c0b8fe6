"""The one way to the file of an architecture in a precision: found in a store, or made now and stored."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from .data import Dataset
from .quantization import calibration_images, calibration_inputs, measure_biases, quantize
from .trained import keras_model


def model_file(source: artifacts.Artifact, precision: str, p, data: Dataset | None) -> Path:
    """The file of the training artifact `source` in `precision`, for the parameters `p` of notebook 03.

    UserError when it must be made, that needs images, and the data set is not here.
    """
    return source.files["fp32"] if precision == "fp32" else converted(source, precision, p, data).files[precision]


def asked(source: artifacts.Artifact, p) -> list[str]:
    """The formats that `source` is made in: `p.precisions`, int8_qat only for the architectures `p.qat_architectures`."""
    trained_on = source.facts["recipe"]["architecture"] in p.qat_architectures
    return [precision for precision in p.precisions if trained_on or precision != "int8_qat"]


def converted(source: artifacts.Artifact, precision: str, p, data: Dataset | None) -> artifacts.Artifact:
    """The artifact with the file `precision`; for `mixed` also `sensitivity`, a table (CSV)."""
    recipe = _recipe(source, precision, p)
    found = artifacts.find(artifacts.recipe_id(recipe), p.profile, p.retrain)
    if found is None:
        files = _make(source, precision, p, data)
        found = artifacts.add(recipe, p.profile, files, dataset=source.facts["dataset"])
    return found


def sensitivity(source: artifacts.Artifact, p, data: Dataset | None) -> pd.DataFrame:
    """What each operator of `source` costs in INT8 (`sensitivity.measure_sensitivity`), and which `mixed` left in float."""
    artifact = converted(source, "mixed", p, data)
    table = pd.read_csv(artifact.files["sensitivity"])
    return table.assign(evidence="recorded") if artifact.recorded else table


def corrected_biases(source: artifacts.Artifact, p, data: Dataset | None) -> dict[str, np.ndarray]:
    """The biases for 8-bit weights, measured once an architecture and kept: all formats with such weights share them."""
    recipe = _recipe(source, "biases", p)
    found = artifacts.find(artifacts.recipe_id(recipe), p.profile, p.retrain)
    if found is None:
        fp32 = source.files["fp32"]
        biases = measure_biases(fp32, calibration_inputs(fp32, _images(source, "8-bit weights", p, data)))
        buffer = io.BytesIO()
        np.savez(buffer, **biases)
        found = artifacts.add(recipe, p.profile, {"biases": ("biases.npz", buffer.getvalue())}, dataset=source.facts["dataset"])
    with np.load(found.files["biases"], allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _recipe(source: artifacts.Artifact, precision: str, p) -> dict:
    common = {"architecture": source.facts["recipe"]["architecture"], "precision": precision}
    common["source"] = source.facts["files"]["fp32"]["sha256"]
    if precision == "fp16":
        return common
    if precision == "int8_qat":
        return common | {"images": p.qat_images, "epochs": p.qat_epochs, "learning_rate": p.qat_learning_rate, "seed": p.seed}
    common |= {"calibration_images": p.calibration_images, "seed": p.seed, "biases": "corrected"}
    common |= {"ranges": "mean extremes, outputs whole"} if precision in ("int8_ptq", "mixed") else {}
    return common | ({"probe_images": p.probe_images} if precision == "mixed" else {})


def _images(source: artifacts.Artifact, what: str, p, data: Dataset | None) -> np.ndarray:
    if data is None:
        name = source.facts["recipe"]["architecture"]
        raise UserError(f"{name} in {what} is not stored, and making it needs images of the data set.")
    return calibration_images(data, p.calibration_images, p.seed)


def _make(source: artifacts.Artifact, precision: str, p, data: Dataset | None) -> dict[str, tuple[str, bytes]]:
    fp32 = source.files["fp32"]

    def named(content: bytes) -> dict:
        return {precision: (f"{precision}.tflite", content)}

    if precision == "fp16":
        return named(quantize(fp32, precision))
    if precision == "dynamic":
        return named(quantize(fp32, precision, biases=corrected_biases(source, p, data)))
    images = _images(source, precision, p, data)
    if precision == "int8_qat":
        from .qat import quantization_aware

        settings = {"images": p.qat_images, "epochs": p.qat_epochs, "learning_rate": p.qat_learning_rate, "seed": p.seed}
        return named(quantization_aware(keras_model(source), data, **settings))
    biases = corrected_biases(source, p, data)
    if precision == "int8_ptq":
        return named(quantize(fp32, precision, images, biases))
    from .partial_int8 import calibrate
    from .sensitivity import measure_sensitivity, quantize_mixed

    probe = _probe(data, p)
    calibrated = calibrate(fp32, images, biases)
    table = measure_sensitivity(calibrated, probe)
    content, floats = quantize_mixed(calibrated, table, probe)
    table["left_in_float"] = table["name"].isin(floats)
    return named(content) | {"sensitivity": ("sensitivity.csv", table.to_csv(index=False).encode())}


def _probe(data: Dataset, p) -> np.ndarray:
    """Training images that did not calibrate. UserError when there are not enough."""
    wanted = p.calibration_images + p.probe_images
    if wanted > len(data.x_train):
        raise UserError(f"probe_images {p.probe_images}: {len(data.x_train) - p.calibration_images} training images are left.")
    return calibration_images(data, wanted, p.seed)[p.calibration_images :]
