"""An early exit: easy images leave the network half-way, through a small head of their own.

Three files: `first` (up to the exit), `exit` (the head) and `rest`. `first` and `rest` are the network cut in two, so
an image that does not exit gets the network's own answer. It exits when the head's softmax confidence is above a
threshold (Teerapittayanon et al. 2016, "BranchyNet", with its entropy replaced by the largest probability).
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import progress
from ..workload import load_workload, summary
from .benchmark import open_model, quantize_input, wilson_interval
from .data import Dataset
from .preprocessing import to_input
from .split import cut_points

ROLES = ("first", "exit", "rest")
BATCH = 50


def exit_cut(model: Path, block: int) -> int:
    """The cut point behind inverted residual block `block` (1-16), found by its tensor's name.

    UserError when the model has no such block or was converted without names.
    """
    points = cut_points(model)
    ends = points["name"].str.extract(r"block_(\d+)_(?:add|project)", expand=False).dropna().astype(int)
    if block not in set(ends):
        raise UserError(f"exit_block {block}: {Path(model).name} can be cut behind the blocks {sorted(set(ends))}.")
    return int(points.loc[ends.index[ends == block][-1], "index"])


def answers(files: dict[str, Path], images: np.ndarray) -> pd.DataFrame:
    """A row for each uint8 image: `confidence` of the exit (0-1), `exit_class` and `final_class`. Everything is computed."""
    rows = []
    for batch in run_parts(images, {role: files[role] for role in ROLES}, "early exit"):
        odds = np.exp(batch["exit"] - batch["exit"].max(-1, keepdims=True))
        confidence = (odds / odds.sum(-1, keepdims=True)).max(-1)
        classes = {"exit_class": batch["exit"].argmax(-1), "final_class": batch["rest"].argmax(-1)}
        rows.append(pd.DataFrame({"confidence": confidence, **classes}))
    return pd.concat(rows, ignore_index=True)


def apply_threshold(answered: pd.DataFrame, labels: np.ndarray, threshold: float) -> tuple[float, float]:
    """(share of images that exit, accuracy) when an image exits with a confidence above `threshold`.

    >>> table = pd.DataFrame({"confidence": [0.9, 0.4], "exit_class": [1, 1], "final_class": [2, 2]})
    >>> apply_threshold(table, np.array([1, 2]), 0.5), apply_threshold(table, np.array([1, 2]), 1.0)
    ((0.5, 1.0), (0.0, 0.5))
    """
    leaves = answered["confidence"] > threshold
    final = answered["exit_class"].where(leaves, answered["final_class"])
    return float(leaves.mean()), float((final == labels).mean())


def choose_threshold(files: dict[str, Path], images: np.ndarray, labels: np.ndarray, most_points: float = 0.5) -> pd.DataFrame:
    """Candidate thresholds, and which one to use, from images that are not the test set.

    The candidates let 0, 5, ... 100 % of these images exit. Give training images that did not train the head: the
    network itself has seen them and is better on them than on new ones, so the loss on new images is another one. Columns:
    threshold, held_back_share (that exits), held_back_points (accuracy lost, in points), held_back_n, chosen (the
    largest share that loses at most `most_points`), evidence.
    """
    answered = answers(files, images)
    levels = np.quantile(answered["confidence"], np.linspace(1, 0, 21)[1:-1])
    full = float((answered["final_class"] == labels).mean())
    rows = []
    for threshold in [1.0, *dict.fromkeys(levels[(levels > 0) & (levels < 1)]), 0.0]:
        share, accuracy = apply_threshold(answered, labels, threshold)
        rows.append({"threshold": float(threshold), "held_back_share": share, "held_back_points": 100 * (full - accuracy)})
    table = pd.DataFrame(rows)
    best = table.loc[table["held_back_points"] <= most_points + 1e-9, "held_back_share"].idxmax()
    return table.assign(held_back_n=len(labels), chosen=table.index == best, evidence="measured")


def measure_early_exit(files: dict[str, Path], data: Dataset, thresholds: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on every test image against average MACs, at each of the `thresholds` of `choose_threshold`.

    Columns: those of `thresholds`, then exit_share, macs (average of an image; the head's count for all), macs_share (of
    the network without an exit), accuracy with its interval, accuracy_n, dataset, evidence.
    """
    macs = {role: summary(load_workload(files[role]))["macs"] for role in ROLES}
    answered, n = answers(files, data.x_test), len(data.y_test)
    rows = []
    for threshold in thresholds["threshold"]:
        share, accuracy = apply_threshold(answered, data.y_test, threshold)
        low, high = wilson_interval(accuracy * n, n)
        average = macs["first"] + macs["exit"] + (1 - share) * macs["rest"]
        rows.append({"exit_share": share, "macs": average, "macs_share": average / (macs["first"] + macs["rest"]),
                     "accuracy": accuracy, "accuracy_low": low, "accuracy_high": high})  # fmt: skip
    table = pd.concat([thresholds.drop(columns="evidence").reset_index(drop=True), pd.DataFrame(rows)], axis=1)
    return table.assign(accuracy_n=n, dataset=data.name, evidence="measured")


def run_parts(images: np.ndarray, files: dict[str, Path], say: str):
    """For each batch of images the float outputs of the files, by role: `first` gets the images, the others its features."""
    for start in progress(range(0, len(images), BATCH), say):
        part = images[start : start + BATCH]
        if start == 0 or len(part) < BATCH:
            opened = {role: open_model(path, os.cpu_count() or 1, len(part)) for role, path in files.items()}
        side = opened["first"].get_input_details()[0]["shape"][1]
        outputs = {"first": _run(opened["first"], to_input(part, side))}
        yield outputs | {role: _run(opened[role], outputs["first"]) for role in opened if role != "first"}


def _run(interpreter, values: np.ndarray) -> np.ndarray:
    """Float values in, float values out, quantised as the model wants it: two INT8 files may use different scales."""
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(source["index"], quantize_input(values, source))
    interpreter.invoke()
    outputs = interpreter.get_tensor(target["index"])
    if target["dtype"] == np.float32:
        return outputs
    scale, zero_point = target["quantization"]
    return ((outputs.astype(np.float32) - zero_point) * scale).astype(np.float32)
