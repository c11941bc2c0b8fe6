"""The one way to a model with an early exit: found by its recipe, or its head trained now and stored."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.reference import required_table
from ..base.results import build_dir, written_whole
from .data import Dataset
from .early_exit import choose_threshold, exit_cut, measure_early_exit, run_parts
from .split import split


def exit_model(source: artifacts.Artifact, p, data: Dataset | None) -> artifacts.Artifact:
    """The artifact with the files `first`, `exit`, `rest` and `log`, made from the training artifact `source`.

    Of the parameters `p`: exit_block, exit_width, exit_epochs, exit_images (0: all), held_back_images, seed, profile,
    retrain. UserError when the head has to be trained and there is no data.
    """
    own = source.facts["recipe"]["architecture"]
    recipe = {"architecture": f"{own}_exit", "source": source.facts["files"]["fp32"]["sha256"], "seed": p.seed}
    names = ("exit_block", "exit_width", "exit_epochs", "exit_images", "held_back_images")
    recipe |= {name: getattr(p, name) for name in names}
    found = artifacts.find(artifacts.recipe_id(recipe), p.profile, p.retrain)
    if found is not None:
        return _with_parts(found, source, p)
    if data is None:
        raise UserError(f"the early exit of {own} is not stored, and training it needs images of the data set.")
    chosen = held_back(data, p.held_back_images, p.seed)[0][: p.exit_images or None]
    images, labels = data.x_train[chosen], data.y_train[chosen]
    contents, log = train_early_exit(source.files["fp32"], images, labels, p.exit_block, p.exit_width, p.exit_epochs, p.seed)
    files = {"exit": ("exit.tflite", contents["exit"]), "log": ("training_log.csv", log.to_csv(index=False).encode())}
    added = artifacts.add(recipe, p.profile, files, dataset=data.name, dataset_fingerprint=data.fingerprint)
    return _with_parts(added, source, p)


def _with_parts(model: artifacts.Artifact, source: artifacts.Artifact, p) -> artifacts.Artifact:
    """The artifact with the two parts of `source` beside its head: they are cut anew, for they are in the store already."""
    fp32 = source.files["fp32"]
    parts = dict(zip(("first", "rest"), split(fp32, [exit_cut(fp32, p.exit_block)]), strict=True))
    folder = build_dir(p.profile) / "parts"
    for role, content in parts.items():
        with written_whole(folder / f"{model.name}.{role}.tflite") as path:
            path.write_bytes(content)
    return replace(model, files=model.files | {role: folder / f"{model.name}.{role}.tflite" for role in parts})


def describe_early_exit(model: artifacts.Artifact, p, data: Dataset | None, name: str = "early_exit") -> pd.DataFrame:
    """The table of `measure_early_exit`, the threshold chosen on the images held back, or what `name`.csv recorded.

    A column `sha256`, that of the exit head, says whose it is. UserError when there is neither data nor a record.
    """
    checksum = model.facts["files"]["exit"]["sha256"]
    if data is None:
        return required_table(name, checksum, model.name)
    aside = held_back(data, p.held_back_images, p.seed)[1]
    thresholds = choose_threshold(model.files, data.x_train[aside], data.y_train[aside], p.exit_points)
    return measure_early_exit(model.files, data, thresholds).assign(sha256=checksum)


def held_back(data: Dataset, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training images: those that train the exit head, and `n` that choose its threshold."""
    if not 0 < n < len(data.x_train):
        raise UserError(f"{n} images held back: give a number from 1 to {len(data.x_train) - 1} (of the training images).")
    order = np.random.default_rng(seed).permutation(len(data.x_train))
    return order[n:], order[:n]


def train_early_exit(fp32: Path, images: np.ndarray, labels: np.ndarray, block: int, width: int, epochs: int, seed: int):
    """({role: .tflite bytes}, training log) of the FP32 model `fp32` with an exit behind `block`.

    The first part runs once over the uint8 `images`, and over their features the rest, whose logits teach the head.
    """
    from .exit_head import train_exit_head
    from .quantization import convert_fp32

    contents = dict(zip(("first", "rest"), split(fp32, [exit_cut(fp32, block)]), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        files = {role: Path(folder) / f"{role}.tflite" for role in contents}
        for role, content in contents.items():
            files[role].write_bytes(content)
        features, logits = [], []
        for batch in run_parts(images, files, "features for the exit"):
            features.append(batch["first"].astype(np.float16))
            logits.append(batch["rest"])
    head, log = train_exit_head(np.concatenate(features), labels, np.concatenate(logits), width, epochs, seed)
    return {"first": contents["first"], "exit": convert_fp32(head), "rest": contents["rest"]}, log


def quantize_early_exit(files: dict[str, Path], int8: Path, block: int, images: np.ndarray) -> dict[str, bytes]:
    """The three files in INT8: the network's INT8 file `int8` cut at the same place, the head quantised on FP32 features.

    `images` are uint8 calibration images; `files` are the FP32 files.
    """
    from .static_quantization import quantize_static

    first, rest = split(int8, [exit_cut(int8, block)])
    features = [batch["first"] for batch in run_parts(images, {"first": files["first"]}, "features for calibration")]
    return {"first": first, "exit": quantize_static(files["exit"], np.concatenate(features), 8), "rest": rest}
