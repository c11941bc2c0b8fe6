"""A real pair to update between: an INT8 file that is in the field, and its successor, fine-tuned on new images."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...base import artifacts
from ...base.errors import UserError
from ...study.data import Dataset
from .frozen import quantize_frozen


@dataclass(frozen=True)
class Pair:
    """Files of an update: `base` runs now; `frozen` keeps all its scales, `fresh` was quantised anew."""

    base: Path
    frozen: Path
    fresh: Path
    recorded: bool


def fine_tuned_pair(
    source: artifacts.Artifact, base: Path, profile: str, data: Dataset | None, *, corruption: str = "noise",
    severity: int = 3, images: int = 2000, steps: int = 60, learning_rate: float = 3e-5, calibration: int = 100, seed: int = 7,
    retrain: bool = False,
) -> Pair:  # fmt: skip
    """The INT8 file `base`, made from the training artifact `source`, and its successors for a camera that has changed.

    The network learns for `steps` steps from `images` training images, every other one under the corruption
    (`study.corruptions`), and is quantised twice. Found by its recipe in a store, or made now (imports TensorFlow, about
    a minute) and stored. UserError when it must be made and there is no data.
    """
    recipe = {
        "architecture": source.facts["recipe"]["architecture"], "precision": "update",
        "source": source.facts["files"]["fp32"]["sha256"], "base": artifacts.sha256(base), "corruption": corruption,
        "severity": severity, "images": images, "steps": steps, "learning_rate": learning_rate, "calibration": calibration,
        "seed": seed,
    }  # fmt: skip
    found = artifacts.find(artifacts.recipe_id(recipe), profile, retrain)
    if found is None:
        if data is None:
            raise UserError(f"the update of {base.name} is not stored, and making it needs images of the data set.")
        seen, labels = mixed_images(data, images, corruption, severity, seed)
        made = make_successors(
            source.files["fp32"],
            base,
            seen,
            labels,
            steps=steps,
            learning_rate=learning_rate,
            calibration=calibration,
            seed=seed,
        )
        files = {name: (f"{name}.tflite", content) for name, content in made.items()}
        found = artifacts.add(recipe, profile, files, dataset=data.name)
    return Pair(base, found.files["frozen"], found.files["fresh"], found.recorded)


def mixed_images(data: Dataset, images: int, corruption: str, severity: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training images in random order, every other one corrupted (so that the network keeps what it knew), and labels."""
    from ...study.corruptions import corrupt

    if not 2 <= images <= len(data.x_train):
        raise UserError(f"{images} images to fine-tune on: give a number from 2 to {len(data.x_train)} (the training images).")
    chosen = np.random.default_rng(seed).permutation(len(data.x_train))[:images]
    seen = data.x_train[chosen].copy()
    seen[::2] = corrupt(seen[::2], corruption, severity)
    return seen, data.y_train[chosen]


def make_successors(
    fp32: Path, base: Path, images: np.ndarray, labels: np.ndarray, *, steps: int, learning_rate: float = 3e-5,
    calibration: int = 100, seed: int = 7,
) -> dict[str, bytes]:  # fmt: skip
    """Fine-tune `fp32` on `images` (N, H, W, 3, uint8) and `labels`; the contents `frozen` and `fresh` in INT8.

    The first `calibration` images set the ranges of the fresh file and correct the biases of both. Imports TensorFlow.
    UserError when `base` is no INT8 file of the network in `fp32`.
    """
    from ...study.fine_tuning import fine_tune
    from ...study.quantization import calibration_inputs, quantize

    with tempfile.TemporaryDirectory() as folder:
        tuned = Path(folder) / "tuned.tflite"
        tuned.write_bytes(fine_tune(fp32, images, labels, steps=steps, learning_rate=learning_rate, seed=seed))
        inputs = calibration_inputs(tuned, images[:calibration])
        return {
            "frozen": quantize_frozen(base, tuned, inputs),
            "fresh": quantize(tuned, "int8_ptq", images[:calibration]),
        }
