"""What decides the outcome of a training, as data: its hash finds the stored artifact without TensorFlow."""

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..base import artifacts
from ..base.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """All that decides what a training gives, but for the pixels."""

    architecture: str
    dataset: str
    classes: int
    alpha: float
    resolution: int
    weights: str
    head_epochs: int
    warm_resolution: int
    warm_epochs: int
    epochs: int
    learning_rate: float
    weight_decay: float
    batch_size: int
    seed: int
    teacher: str = ""
    teacher_weight: float = 0.0
    temperature: float = 1.0

    @property
    def id(self) -> str:
        return artifacts.recipe_id(asdict(self))


def find_weights(weights: str) -> str:
    """What to hand to Keras: `imagenet` becomes the file HWAWARE_WEIGHTS if that is set; a path must exist."""
    place = (os.environ.get("HWAWARE_WEIGHTS") or weights) if weights == "imagenet" else weights
    if place not in ("none", "imagenet") and not Path(place).is_file():
        raise UserError(f"weights file {place!r} does not exist: give a path, 'imagenet' or 'none'.")
    return place


def name_weights(weights: str) -> str:
    """The name that goes into a recipe: the same for everyone who uses the same file."""
    if weights in ("none", "imagenet"):
        return weights
    return "sha256:" + hashlib.sha256(Path(find_weights(weights)).read_bytes()).hexdigest()[:16]


def baseline_recipe(p, dataset: str, classes: int) -> Recipe:
    """The recipe of the baseline from the parameters `p` of notebook 01."""
    return Recipe(
        architecture="baseline", dataset=dataset, classes=classes, alpha=p.alpha, resolution=p.resolution,
        weights=name_weights(p.weights), head_epochs=p.head_epochs, warm_resolution=p.warm_resolution,
        warm_epochs=p.warm_epochs, epochs=p.epochs, learning_rate=p.learning_rate, weight_decay=p.weight_decay,
        batch_size=p.batch_size, seed=p.seed,
    )  # fmt: skip


def latency_recipe(p, baseline: Recipe) -> Recipe:
    """The recipe of the latency variant: narrower, started from the baseline's channels and distilled from it.

    UserError when it is wider than the baseline: then there are not enough channels to start from.
    """
    if p.variant_alpha > baseline.alpha:
        raise UserError(f"variant_alpha {p.variant_alpha} is wider than the baseline's alpha {baseline.alpha}.")
    return replace(
        baseline, architecture="latency", alpha=p.variant_alpha, weights="none", head_epochs=0,
        epochs=p.variant_epochs, warm_epochs=p.variant_warm_epochs, learning_rate=p.variant_learning_rate,
        teacher=baseline.id, teacher_weight=p.teacher_weight, temperature=p.temperature,
    )  # fmt: skip
