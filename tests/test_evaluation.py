"""Class by class: counts that a hand can check, sums that must hold, and tables recorded for the very same file."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwaware_utils.base import reference
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.study import benchmark, data, evaluation

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
ANSWERS = np.array([0, 0, 1, 2, 1, 0, 2, 2])
CLASSES = ("cat", "dog", "ship")
NUMBERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def test_confusion_of_eight_images_by_hand():
    table = evaluation.confusion(ANSWERS, LABELS, CLASSES)
    matrix = table.pivot_table("count", "actual", "predicted").loc[list(CLASSES), list(CLASSES)].to_numpy()
    assert matrix.tolist() == [[2, 1, 1], [1, 1, 0], [0, 0, 2]]
    assert table["share"].tolist() == [0.5, 0.25, 0.25, 0.5, 0.5, 0.0, 0.0, 0.0, 1.0]
    check_evidence(table, "confusion")


def test_classes_of_eight_images_by_hand():
    table = evaluation.per_class(ANSWERS, LABELS, CLASSES).set_index("class")
    assert table["n"].tolist() == [4, 2, 2]
    assert table["accuracy"].tolist() == [0.5, 0.5, 1.0]
    assert table["precision_share"].tolist() == [2 / 3, 1 / 2, 2 / 3]
    assert table["most_often_taken_for"].tolist() == ["dog", "cat", ""]  # the first of equals; none for a faultless class
    assert table["taken_count"].tolist() == [1, 1, 0]
    assert tuple(table.loc["cat", ["accuracy_low", "accuracy_high"]]) == benchmark.wilson_interval(2, 4)


def test_logits_and_their_largest_entries_give_the_same_tables():
    logits = np.random.default_rng(0).normal(size=(50, 3))
    labels = np.random.default_rng(1).integers(0, 3, 50)
    pd.testing.assert_frame_equal(
        evaluation.per_class(logits, labels, CLASSES), evaluation.per_class(logits.argmax(axis=1), labels, CLASSES)
    )


@given(NUMBERS)
def test_every_image_is_counted_once(pairs):
    labels, answers = np.array(pairs).T
    classes = ("a", "b", "c", "d")
    counts, table = (function(answers, labels, classes) for function in (evaluation.confusion, evaluation.per_class))
    assert counts["count"].sum() == table["n"].sum() == len(pairs)
    assert counts.groupby("actual")["count"].sum().tolist() == table["n"].tolist()
    assert (table["accuracy"] * table["n"]).sum() == pytest.approx((labels == answers).sum())
    present = table[table["n"] > 0]
    assert (present["accuracy_low"] <= present["accuracy"] + 1e-12).all()
    assert (present["accuracy"] <= present["accuracy_high"] + 1e-12).all()
    assert table.loc[table["n"] == 0, "accuracy"].isna().all()


def test_it_agrees_with_scikit_learn():
    from sklearn.metrics import confusion_matrix, precision_score

    generator = np.random.default_rng(3)
    labels, answers = generator.integers(0, 3, (2, 500))
    counts = evaluation.confusion(answers, labels, CLASSES)["count"].to_numpy().reshape(3, 3)
    assert (counts == confusion_matrix(labels, answers)).all()
    table = evaluation.per_class(answers, labels, CLASSES)
    assert np.allclose(table["precision_share"], precision_score(labels, answers, average=None))


@pytest.mark.parametrize(
    ("predictions", "labels", "told"),
    [
        ([0, 1], [0], "2 predictions for 1 labels"),
        ([], [], "one image at least"),
        ([0, 3], [0, 1], "prediction 3 names no class: expected 0 to 2"),
        ([0, 1], [-1, 1], "label -1 names no class"),
        ([[0.1, 0.9]], [1], "the logits have 2 columns but there are 3 classes"),
        ([[0.1, np.nan, 0.2]], [1], "NaN or infinity"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(predictions, labels, told):
    with pytest.raises(UserError, match=told):
        evaluation.confusion(np.array(predictions), np.array(labels, dtype=int), CLASSES)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from hwaware_utils.study.models import mobilenet_v2
    from hwaware_utils.study.quantization import convert_fp32

    path = tmp_path_factory.mktemp("models") / "tiny.fp32.tflite"
    path.write_bytes(convert_fp32(mobilenet_v2(0.35, 32, 10)))
    return path


def test_the_trace_is_the_accuracy_and_the_table_comes_back_for_the_same_file_only(model, tmp_path, monkeypatch):
    digits = data.load("digits")
    table = evaluation.describe_confusion(model, digits, "confusion_baseline")
    right = table.loc[table["actual"] == table["predicted"], "count"].sum()
    assert right / len(digits.y_test) == benchmark.measure_accuracy(model, digits)["accuracy"]
    monkeypatch.setattr(reference, "REFERENCE", tmp_path)
    stored = table.assign(evidence="recorded", recorded_host="h", recorded_commit="c", recorded_date="d")
    stored.to_csv(tmp_path / "confusion_baseline.csv", index=False)
    recalled = evaluation.describe_confusion(model, None, "confusion_baseline")
    pd.testing.assert_frame_equal(recalled, table.assign(evidence="recorded"), check_dtype=False)
    assert set(evaluation.per_class_of(recalled)["evidence"]) == {"recorded"}
    other = tmp_path / "other.tflite"
    other.write_bytes(model.read_bytes() + b" ")
    with pytest.raises(UserError, match=r"no confusion_baseline is recorded for other\.tflite"):
        evaluation.describe_confusion(other, None, "confusion_baseline")


def test_a_table_without_checksums_or_no_table_is_no_record(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "REFERENCE", tmp_path)
    assert reference.recorded_table("missing", "00") is None
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "bare.csv", index=False)
    assert reference.recorded_table("bare", "00") is None
