"""A real pair to update between: an INT8 file that is in the field, and its successor, fine-tuned on new images.

A successor is stored as what an update sends, a delta of its base, and put together again where it is needed.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...base import artifacts
from ...base.errors import UserError
from ...base.results import build_dir, written_whole
from ...study.data import Dataset
from .delta import apply, encode
from .frozen import quantize_frozen

SCALES = ("frozen", "fresh")
_STORED_AS = "aligned_range"


@dataclass(frozen=True)
class Pair:
    """Files of an update: `base` runs now; `frozen` keeps all its scales, `fresh` was quantised anew."""

    base: Path
    frozen: Path
    fresh: Path
    recorded: bool


def update_pairs(p, variants: pd.DataFrame, data: Dataset | None) -> dict[str, Pair]:
    """Variant -> pair, for the INT8 file of each architecture in `p.updated`; `variants` is variants.csv.

    `p` holds update_corruption, update_severity, update_images, update_steps, update_learning_rate, calibration_images,
    seed, profile and retrain. Errors as `fine_tuned_pair`.
    """
    files, pairs = variants.set_index("variant"), {}
    for name in p.updated:
        int8, fp32 = files.loc[f"{name}-int8_ptq"], files.loc[f"{name}-fp32"]
        pairs[int8.name] = fine_tuned_pair(
            artifacts.find_source(fp32["sha256"], p.profile, needs="02_optimizations"),
            artifacts.locate(int8["model_file"], int8["sha256"], p.profile), p.profile, data,
            corruption=p.update_corruption, severity=p.update_severity, images=p.update_images, steps=p.update_steps,
            learning_rate=p.update_learning_rate, calibration=p.calibration_images, seed=p.seed, retrain=p.retrain,
        )  # fmt: skip
    return pairs


def fine_tuned_pair(
    source: artifacts.Artifact, base: Path, profile: str, data: Dataset | None, *, corruption: str = "noise",
    severity: int = 3, images: int = 2000, steps: int = 60, learning_rate: float = 3e-5, calibration: int = 100, seed: int = 7,
    retrain: bool = False,
) -> Pair:  # fmt: skip
    """The INT8 file `base`, made from the training artifact `source`, and its successors for a camera that has changed.

    The network learns for `steps` steps from `images` training images, every other one under the corruption
    (`study.corruptions`), and is quantised twice. Found by its recipe in a store, or made now (imports TensorFlow, about
    a minute) and stored. UserError when it must be made and there is no data, or when a stored delta does not lead from
    `base` to the file that it was made from.
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
        old = base.read_bytes()
        files = {name: (f"{name}.delta", encode(old, content, _STORED_AS)) for name, content in made.items()}
        whole = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
        found = artifacts.add(recipe, profile, files, dataset=data.name, successors=whole)
    return Pair(base, *(_put_together(found, scales, base, profile) for scales in SCALES), found.recorded)


def _put_together(stored: artifacts.Artifact, scales: str, base: Path, profile: str) -> Path:
    """The successor as a file in this profile's models, from its delta unless it is there already."""
    path, checksum = build_dir(profile) / "models" / f"{stored.name}.{scales}.tflite", stored.facts["successors"][scales]
    if not (path.is_file() and artifacts.sha256(path) == checksum):
        content = apply(base.read_bytes(), stored.files[scales].read_bytes(), _STORED_AS)
        if hashlib.sha256(content).hexdigest() != checksum:
            raise UserError(f"{stored.files[scales].name} does not give the model that was stored: make the update again.")
        with written_whole(path) as place:
            place.write_bytes(content)
    return path


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
