"""The one way to a trained model: found by its recipe, or trained now and stored."""

import io
from pathlib import Path

import numpy as np

from ..base import artifacts
from ..base.errors import UserError
from ..base.results import build_dir
from .data import Dataset
from .recipe import Recipe, find_weights


def trained(recipe: Recipe, profile: str, data: Dataset | None, weights: str = "none", retrain: bool = False, teacher=None):
    """The artifact of `recipe` with the files `fp32` (.tflite), `log` (CSV) and `weights` (.npz, float16).

    Trains only when no artifact matches: resumable, checkpoints under build/<profile>/training. `teacher` is the
    artifact of the network to distil from. UserError when training is needed and there is no data.
    """
    found = artifacts.find(recipe.id, profile, retrain)
    if found is not None:
        return found
    if data is None:
        raise UserError(f"{recipe.id} is not stored under results/reference, and there is no {recipe.dataset} to train it on.")
    from . import training
    from .quantization import convert_fp32

    folder = build_dir(profile) / "training" / recipe.id
    model, log = training.train(recipe, data, folder, weights, teacher and keras_model(teacher))
    files = {
        "fp32": ("fp32.tflite", convert_fp32(model)),
        "log": ("training_log.csv", log.to_csv(index=False).encode()),
        "weights": ("weights.npz", _pack(model.get_weights())),
    }
    facts = {"dataset": data.name, "dataset_fingerprint": data.fingerprint}
    if Path(place := find_weights(weights)).is_file():
        facts["weights_sha256"] = artifacts.sha256(Path(place))
    return artifacts.add(recipe.facts, profile, files, **facts)


def keras_model(artifact: artifacts.Artifact):
    """The Keras model of a training artifact, its weights rounded to float16 as they are stored."""
    from .models import with_weights

    with np.load(artifact.files["weights"], allow_pickle=False) as stored:
        weights = [stored[name].astype(np.float32) for name in stored.files]
    return with_weights(weights, artifact.facts["recipe"]["resolution"])


def _pack(weights: list[np.ndarray]) -> bytes:
    halves = {f"w{number:03d}": weight.astype(np.float16) for number, weight in enumerate(weights)}
    if not all(np.isfinite(half).all() for half in halves.values()):
        raise ValueError("a weight does not fit into float16: training has diverged.")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **halves)
    return buffer.getvalue()
