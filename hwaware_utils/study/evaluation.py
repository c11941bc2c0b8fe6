"""Which classes a model gets right, and what it takes the others for: counted from its predictions on test images."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..base.artifacts import sha256
from ..base.errors import UserError
from ..base.reference import required_table
from .benchmark import predict_tflite, wilson_interval
from .data import Dataset


def confusion(predictions: np.ndarray, labels: np.ndarray, classes) -> pd.DataFrame:
    """How often each class was taken for each: a row for every pair of `classes`, in their order, zeros included.

    `predictions` are class numbers (N,) or logits (N, classes), `labels` class numbers (N,). Columns: actual, predicted,
    count, share (of the images of the actual class; nan if there is none), evidence. UserError when the two do not fit.
    """
    predicted, actual = _checked(np.asarray(predictions), np.asarray(labels), len(classes))
    counts = np.bincount(actual * len(classes) + predicted, minlength=len(classes) ** 2)
    names = [str(name) for name in classes]
    frame = pd.DataFrame({"actual": np.repeat(names, len(names)), "predicted": names * len(names), "count": counts})
    totals = counts.reshape(len(names), -1).sum(axis=1).repeat(len(names))
    return frame.assign(share=counts / np.where(totals == 0, np.nan, totals), evidence="measured")


def per_class(predictions: np.ndarray, labels: np.ndarray, classes) -> pd.DataFrame:
    """Accuracy of each class with its 95 % Wilson interval. Arguments and errors as for `confusion`.

    Columns: class, n (its images), accuracy, accuracy_low, accuracy_high, precision_share (how many of the images taken
    for this class are of it), most_often_taken_for (the commonest wrong answer, empty if none), taken_count, evidence.
    """
    return per_class_of(confusion(predictions, labels, classes))


def per_class_of(counts: pd.DataFrame) -> pd.DataFrame:
    """`per_class` from a table that `confusion` made, perhaps long ago: its `evidence` is kept."""
    classes = counts["actual"].drop_duplicates().tolist()
    matrix = counts["count"].to_numpy().reshape(len(classes), len(classes))
    wrong = matrix - np.diag(np.diag(matrix))
    rows = []
    for number, name in enumerate(classes):
        n, right, taken = int(matrix[number].sum()), int(matrix[number, number]), int(matrix[:, number].sum())
        low, high = wilson_interval(right, n) if n else (np.nan, np.nan)
        most = int(wrong[number].argmax())
        rows.append(
            {"class": name, "n": n, "accuracy": right / n if n else np.nan, "accuracy_low": low, "accuracy_high": high}
            | {"precision_share": right / taken if taken else np.nan}
            | {"most_often_taken_for": classes[most] if wrong[number, most] else "", "taken_count": int(wrong[number, most])}
        )
    return pd.DataFrame(rows).assign(evidence=counts["evidence"].iloc[0])


def describe_confusion(model: Path, data: Dataset | None, name: str) -> pd.DataFrame:
    """The confusion table of a .tflite on all test images, or the one recorded in `name`.csv for the same bytes.

    A column `sha256` says whose it is. UserError when there is no data set and no table was recorded for this file.
    """
    checksum = sha256(model)
    if data is not None:
        outputs = predict_tflite(model, data.x_test, say="testing the classes")
        return confusion(outputs, data.y_test, data.classes).assign(sha256=checksum)
    return required_table(name, checksum, model.name, text=("actual", "predicted"))


def _checked(predictions: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Both as class numbers."""
    if predictions.ndim == 2 and predictions.shape[1] != classes:
        raise UserError(f"the logits have {predictions.shape[1]} columns but there are {classes} classes: give one a class.")
    if not np.isfinite(predictions).all():
        raise UserError("the predictions hold NaN or infinity: the model or its input is broken.")
    predicted = predictions.argmax(axis=-1) if predictions.ndim == 2 else predictions.astype(np.int64)
    if predicted.shape != labels.shape or not len(labels):
        raise UserError(
            f"{len(predicted)} predictions for {len(labels)} labels: give one label an image, and one image at least."
        )
    for what, numbers in (("prediction", predicted), ("label", labels)):
        if numbers.min() < 0 or numbers.max() >= classes:
            outside = int(numbers.min() if numbers.min() < 0 else numbers.max())
            raise UserError(f"{what} {outside} names no class: expected 0 to {classes - 1}.")
    return predicted, labels.astype(np.int64)
