"""The networks of the exploration: many trained briefly, which show what to expect, and few trained in full."""

import math
from dataclasses import asdict

import pandas as pd

from ..base import artifacts
from ..base.reference import recorded_recipes
from ..workload import load_workload
from .ablations import short_trainings
from .data import Dataset
from .exploration_points import Point, point_recipe
from .precisions import model_file
from .quantization import assert_operators
from .recipe import Recipe
from .trained import trained
from .variants import as_table, describe

FORMATS = ("fp32", "int8_ptq")


def measure_points(points: list[Point], p, baseline: artifacts.Artifact, data: Dataset | None) -> pd.DataFrame:
    """Every point after the same short training from the baseline (`p.explore_epochs` epochs of `p.explore_images` images).

    A row a point: its settings, recipe, start_accuracy, accuracy (with interval, of accuracy_n test images), images,
    images_all (of the data set), epochs, seconds, sha256 (of the baseline), evidence. UserError as `ablations.short_trainings`.
    """
    start = Recipe(**baseline.facts["recipe"])
    recipes = [
        point_recipe(start, point, learning_rate=p.explore_learning_rate, epochs=p.explore_epochs, images=p.explore_images,
                     teacher_weight=p.teacher_weight, temperature=p.temperature)
        for point in points
    ]  # fmt: skip
    labels = pd.DataFrame([asdict(point) for point in points])
    return short_trainings("exploration_points", labels, recipes, p, baseline, data)


def train_candidates(points: list[Point], p, baseline: artifacts.Artifact, data: Dataset | None) -> pd.DataFrame:
    """Every point after the full training (`p.candidate_epochs` epochs of all images), in FORMATS: rows as variants.csv
    (`variants.describe`), with the point's settings. Found in the profile's store, or as the stored rows of the same recipes
    (results/reference keeps no files of theirs: 45 MB are its limit), or made now and stored.

    The architecture of the k-th point is `explored<k>`. UserError when one must be trained and there is no data.
    """
    start, rows = Recipe(**baseline.facts["recipe"]), []
    recipes = [
        point_recipe(start, point, learning_rate=p.candidate_learning_rate, epochs=p.candidate_epochs, images=0,
                     teacher_weight=p.teacher_weight, temperature=p.temperature)
        for point in points
    ]  # fmt: skip
    own = all(artifacts.find(recipe.id, p.profile, retrain=True) for recipe in recipes)
    recorded = None if own or p.retrain else recorded_recipes("explored_variants", [recipe.id for recipe in recipes])
    if recorded is not None:
        return recorded
    for number, (point, recipe) in enumerate(zip(points, recipes, strict=True), 1):
        source = trained(recipe, p.profile, data, retrain=p.retrain, teacher=baseline)
        for precision in FORMATS:
            model = model_file(source, precision, p, data)
            assert_operators(load_workload(model), precision)
            row = describe(source, model, precision, data)
            if row:
                name = f"explored{number}"
                rows.append(row | asdict(point) | {"variant": f"{name}-{precision}", "architecture": name, "recipe": recipe.id})
    return as_table(rows)


def trained_both_ways(brief: pd.DataFrame, variants: pd.DataFrame, profile: str) -> pd.DataFrame:
    """The networks of `variants` (FP32 rows of variants.csv) that `brief` (`measure_points`) holds too: variant, the point's
    settings, accuracy_brief, accuracy, accuracy_n, longer, evidence."""
    rows = []
    for variant in variants[variants["precision"] == "fp32"].itertuples():
        recipe = Recipe(**artifacts.find_source(variant.sha256, profile, needs="02_optimizations").facts["recipe"])
        same = brief[_same(brief, recipe)]
        if recipe.teacher and len(same):
            shares = asdict(point_of(recipe))
            numbers = {
                "accuracy_brief": same["accuracy"].iloc[0],
                "accuracy": variant.accuracy,
                "accuracy_n": variant.accuracy_n,
            }
            numbers["longer"] = longer(same, recipe.epochs, recipe.train_images)
            rows.append({"variant": variant.variant} | shares | numbers | {"evidence": variant.evidence})
    return pd.DataFrame(rows)


def longer(brief: pd.DataFrame, epochs: int, images: int = 0) -> float:
    """log(images seen in `epochs` epochs of `images` images (0: all) / images seen in the brief training)."""
    row = brief.iloc[0]
    return math.log(epochs * (images or row["images_all"]) / (row["epochs"] * row["images"]))


def point_of(recipe: Recipe) -> Point:
    """The point of the space that a compressed and taught network is."""
    return Point(recipe.expansion, recipe.stream, recipe.head, recipe.resolution, recipe.teacher_weight > 0)


def _same(brief: pd.DataFrame, recipe: Recipe) -> pd.Series:
    settings = pd.Series(asdict(point_of(recipe)))
    return (brief[settings.index] == settings).all(axis=1)
