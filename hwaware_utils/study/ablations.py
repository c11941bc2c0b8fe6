"""Short trainings on part of the images that answer one question each: what pruning keeps, what a teacher adds."""

import functools
from dataclasses import replace

import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.reference import recorded_table
from ..base.results import build_dir
from .benchmark import wilson_interval
from .data import Dataset
from .recipe import Recipe, variant_recipe
from .trained import keras_model


def measure_pruning(p, baseline: artifacts.Artifact, data: Dataset | None) -> pd.DataFrame:
    """Share of the expansions kept against accuracy, before and after a short fine-tuning on labels alone.

    A row for each of `p.sweep_shares`, the channels chosen by importance and at random. Columns: kept_share, choice,
    start_accuracy, accuracy (with interval, of accuracy_n test images), images, epochs, sha256, evidence.
    """
    start = Recipe(**baseline.facts["recipe"])
    common = replace(_short(p, variant_recipe(p, start, "memory")), stream=1.0, head=1.0, teacher_weight=0.0)
    cases = [
        (kept, choice) for kept in p.sweep_shares for choice in ("importance", "random") if kept < 1 or choice == "importance"
    ]
    recipes = [replace(common, architecture="sweep", expansion=kept, choice=choice) for kept, choice in cases]
    labels = pd.DataFrame(cases, columns=["kept_share", "choice"])
    return short_trainings("pruning_sweep", labels, recipes, p, baseline, data)


def measure_distillation(p, baseline: artifacts.Artifact, data: Dataset | None) -> pd.DataFrame:
    """Each architecture of `p.distilled` after the same short training, with the teacher's logits and with labels alone.

    Columns as `measure_pruning`, with architecture and teacher_weight in place of kept_share and choice.
    """
    start = Recipe(**baseline.facts["recipe"])
    cases = [(name, weight) for name in p.distilled for weight in (p.teacher_weight, 0.0)]
    recipes = [replace(_short(p, variant_recipe(p, start, name)), teacher_weight=weight) for name, weight in cases]
    labels = pd.DataFrame(cases, columns=["architecture", "teacher_weight"])
    return short_trainings("distillation", labels, recipes, p, baseline, data)


def _short(p, recipe: Recipe) -> Recipe:
    return replace(recipe, train_images=p.ablation_images, epochs=p.ablation_epochs)


def short_trainings(name: str, labels: pd.DataFrame, recipes: list[Recipe], p, baseline, data: Dataset | None) -> pd.DataFrame:
    """`labels` with what each of `recipes` gives: found or trained here, or recorded as the table `name` for these recipes.

    `p` has profile and retrain. UserError when it is not recorded and there is no data, or too little.
    """
    checksum = baseline.facts["files"]["fp32"]["sha256"]
    recorded = None if p.retrain else recorded_table(name, checksum)
    if recorded is not None and recorded["recipe"].tolist() == [recipe.id for recipe in recipes]:
        return recorded
    if data is None:
        raise UserError(f"the table {name} is not recorded for these settings, and there is no data set to train on.")
    if (most := max(recipe.train_images for recipe in recipes)) > len(data.x_train):
        raise UserError(f"{name} wants {most} training images: the data set has {len(data.x_train)}.")
    teacher, n, rows = functools.cache(lambda: keras_model(baseline)), len(data.y_test), []
    for recipe in recipes:
        log = _log(recipe, p, teacher, data)
        accuracy = float(log["test_accuracy"].iloc[-1])
        low, high = wilson_interval(accuracy * n, n)
        rows.append({"recipe": recipe.id, "start_accuracy": log["test_accuracy"].iloc[0],
                     "accuracy": accuracy, "accuracy_low": low, "accuracy_high": high, "accuracy_n": n,
                     "images": recipe.train_images, "epochs": recipe.epochs, "images_all": len(data.x_train),
                     "seconds": log["seconds"].sum()})  # fmt: skip
    return pd.concat([labels, pd.DataFrame(rows)], axis=1).assign(sha256=checksum, evidence="measured")


def _log(recipe: Recipe, p, teacher, data: Dataset) -> pd.DataFrame:
    """The training log of `recipe`: found in a store, or trained now and stored. `teacher()` is the Keras model."""
    found = artifacts.find(recipe.id, p.profile, p.retrain)
    if found is None:
        from . import training

        _, log = training.train(recipe, data, build_dir(p.profile) / "training" / recipe.id, teacher=teacher())
        content = {"log": ("training_log.csv", log.to_csv(index=False).encode())}
        found = artifacts.add(recipe.facts, p.profile, content, dataset=data.name, dataset_fingerprint=data.fingerprint)
    return pd.read_csv(found.files["log"], float_precision="round_trip")
