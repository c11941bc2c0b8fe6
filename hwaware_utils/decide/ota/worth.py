"""What an update is worth: the accuracy before and after it, on images as they were and as they have become."""

import pandas as pd

from ...base.artifacts import sha256
from ...base.errors import UserError
from ...base.reference import required_table
from ...study.benchmark import predict_tflite, wilson_interval
from ...study.corruptions import corrupt
from ...study.data import Dataset
from ..drift import sample
from .pair import Pair

_NEEDED = "make the recording anew with the data set (HWAWARE_DATA)"


def measure_worth(pair: Pair, data: Dataset | None, p) -> pd.DataFrame:
    """update_accuracy.csv: base, frozen and fresh successor on clean and on changed test images, or what was recorded.

    `p` holds test_images, update_corruption, update_severity and seed. Columns: model (base, frozen, fresh), images (clean,
    changed), accuracy with its interval, accuracy_n, change_points (against the base on the same images), model_sha256,
    sha256 (of the base), evidence. UserError without a data set when nothing is recorded for these very files.
    """
    models = {"base": pair.base, "frozen": pair.frozen, "fresh": pair.fresh}
    checksums = {name: sha256(path) for name, path in models.items()}
    if data is None:
        recorded = required_table("update_accuracy", checksums["base"], pair.base.name)
        if set(recorded["model_sha256"]) != set(checksums.values()):
            raise UserError(f"the accuracies recorded for {pair.base.name} are those of another update: {_NEEDED}.")
        return recorded
    images, labels = sample(data, p.test_images, p.seed)
    seen = {"clean": images, "changed": corrupt(images, p.update_corruption, p.update_severity)}
    rows, n = [], len(labels)
    for name, path in models.items():
        for kind, content in seen.items():
            correct = int((predict_tflite(path, content, say=f"{name}, {kind}").argmax(-1) == labels).sum())
            low, high = wilson_interval(correct, n)
            accuracy = {
                "accuracy": correct / len(labels),
                "accuracy_low": low,
                "accuracy_high": high,
                "accuracy_n": len(labels),
            }
            rows.append({"model": name, "images": kind, **accuracy, "model_sha256": checksums[name]})
    frame = pd.DataFrame(rows)
    before = frame["images"].map(frame[frame["model"] == "base"].set_index("images")["accuracy"])
    frame.insert(6, "change_points", 100 * (frame["accuracy"] - before))
    return frame.assign(sha256=checksums["base"], evidence="measured")
