"""What decides the outcome of a training, as data: its hash finds the stored artifact without TensorFlow."""

import hashlib
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import get_args

from ..base import artifacts
from ..base.errors import UserError
from ..base.schema_types import Cut

CUTS = get_args(Cut)
SETTINGS = ("resolution", "expansion", "stream", "head", "epochs", "learning_rate")  # what each variant has of its own


@dataclass(frozen=True)
class Recipe:
    """All that decides what a training gives, but for the pixels.

    With a `teacher` (a recipe id) the network starts as the teacher with the shares `expansion`, `stream` and `head` of
    its channels, and learns from its logits with `teacher_weight`. `train_images` 0 means all of them.
    """

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
    first_resolution: int = 0
    polish_epochs: int = 0
    polish_learning_rate: float = 0.0
    expansion: float = 1.0
    stream: float = 1.0
    head: float = 1.0
    choice: str = "importance"
    train_images: int = 0

    @property
    def id(self) -> str:
        return artifacts.recipe_id(self.facts)

    @property
    def facts(self) -> dict:
        """The recipe as it is stored. Fields at their default are left out: a new field changes no old id."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    def resolution_of(self, epoch: int) -> int:
        """Input size of an epoch, counted from 1: small first, `resolution` last. Cheaper, and it generalises."""
        if epoch <= self.warm_epochs:
            return self.warm_resolution
        return self.resolution if epoch > self.epochs else self.first_resolution or self.resolution

    @property
    def all_epochs(self) -> int:
        return self.epochs + self.polish_epochs


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
        batch_size=p.batch_size, seed=p.seed, first_resolution=p.first_resolution, polish_epochs=p.polish_epochs,
        polish_learning_rate=p.polish_learning_rate,
    )  # fmt: skip


def variant_recipe(p, baseline: Recipe, architecture: str) -> Recipe:
    """The recipe of one of CUTS: the baseline compressed, then taught by it.

    `p` holds `<architecture>_<setting>` for all SETTINGS (parameters of notebook 02).
    """
    kept = {name: getattr(p, f"{architecture}_{name}") for name in SETTINGS}
    return replace(
        baseline, architecture=architecture, **kept, weights="none", head_epochs=0, warm_epochs=0, first_resolution=0,
        polish_epochs=0, polish_learning_rate=0.0,
        teacher=baseline.id, teacher_weight=p.teacher_weight, temperature=p.temperature,
    )  # fmt: skip
