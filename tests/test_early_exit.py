"""An early exit changes who answers, not what the network answers, and its threshold never sees the test set."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hwaware_utils.base import artifacts
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.study import data, early_exit, exit_model, quantization
from hwaware_utils.study.benchmark import predict_tflite
from hwaware_utils.study.split import cut_points
from hwaware_utils.workload import load_workload, summary

SETTINGS = {"exit_block": 3, "exit_width": 16, "exit_epochs": 2, "exit_images": 300, "held_back_images": 60}
P = SimpleNamespace(profile="smoke", retrain=False, seed=7, exit_points=0.5, **SETTINGS)


@pytest.fixture(scope="module")
def digits():
    whole = data.load("digits")
    return replace(whole, x_test=whole.x_test[:120], y_test=whole.y_test[:120])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What `trained` would give, but for the training."""
    from hwaware_utils.study.models import mobilenet_v2

    path = tmp_path_factory.mktemp("models") / "tiny.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(mobilenet_v2(0.35, 32, 10)))
    facts = {"recipe": {"architecture": "energy"}, "files": {"fp32": {"sha256": artifacts.sha256(path)}}}
    return artifacts.Artifact("energy-0123", {"fp32": path}, facts, recorded=False)


@pytest.fixture(scope="module")
def made(source, digits):
    return exit_model.exit_model(source, P, digits)


@pytest.fixture(scope="module")
def thresholds(made, digits):
    aside = exit_model.held_back(digits, 60, 7)[1]
    return early_exit.choose_threshold(made.files, digits.x_train[aside], digits.y_train[aside])


def test_an_image_that_stays_gets_the_networks_own_answer(made, source, digits):
    answered = early_exit.answers(made.files, digits.x_test)
    expected = predict_tflite(source.files["fp32"], digits.x_test).argmax(-1)
    assert (answered["final_class"] == expected).all()
    assert answered["confidence"].between(0.1, 1).all()
    assert early_exit.apply_threshold(answered, digits.y_test, 1.0) == (0.0, float((expected == digits.y_test).mean()))
    share, accuracy = early_exit.apply_threshold(answered, digits.y_test, 0.0)
    assert (share, accuracy) == (1.0, float((answered["exit_class"] == digits.y_test).mean()))


def test_macs_are_those_of_the_parts_that_run(made, source, digits, thresholds):
    table = early_exit.measure_early_exit(made.files, digits, thresholds)
    check_evidence(table, "early_exit")
    macs = {role: summary(load_workload(made.files[role]))["macs"] for role in early_exit.ROLES}
    full = summary(load_workload(source.files["fp32"]))["macs"]
    assert macs["first"] + macs["rest"] == full
    never, always = table.iloc[0], table.iloc[-1]
    assert (never["exit_share"], never["macs"]) == (0, full + macs["exit"])
    assert (always["exit_share"], always["macs"]) == (1, macs["first"] + macs["exit"])
    assert table["exit_share"].is_monotonic_increasing and table["macs"].is_monotonic_decreasing
    assert table["macs_share"].to_numpy() == pytest.approx(table["macs"] / full)
    assert ((table["accuracy_low"] <= table["accuracy"]) & (table["accuracy"] <= table["accuracy_high"])).all()


def test_the_chosen_threshold_keeps_its_promise_on_the_images_held_back(thresholds):
    check_evidence(thresholds, "thresholds")
    assert thresholds["chosen"].sum() == 1
    chosen = thresholds[thresholds["chosen"]].iloc[0]
    within = thresholds[thresholds["held_back_points"] <= 0.5 + 1e-9]
    assert chosen["held_back_points"] in set(within["held_back_points"])
    assert chosen["held_back_share"] == within["held_back_share"].max()
    assert thresholds["threshold"].is_monotonic_decreasing


def test_images_that_choose_the_threshold_do_not_train_the_head(digits):
    train, aside = exit_model.held_back(digits, 60, 7)
    assert len(aside) == 60 and not set(train) & set(aside)
    assert sorted([*train, *aside]) == list(range(len(digits.x_train)))
    for n in (0, len(digits.x_train)):
        with pytest.raises(UserError, match="held back"):
            exit_model.held_back(digits, n, 7)


def test_the_head_learns_what_its_features_tell():
    from hwaware_utils.study.exit_head import train_exit_head

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    features = rng.normal(size=(600, 4, 4, 6)) + 2 * np.eye(6)[labels][:, None, None, :]
    model, log = train_exit_head(features, labels, 4.0 * np.eye(3)[labels], width=8, epochs=25, seed=1)
    assert log["loss"].iloc[-1] < log["loss"].iloc[0] and log["epoch"].tolist() == list(range(1, 26))
    fresh = rng.integers(0, 3, 90)
    images = rng.normal(size=(90, 4, 4, 6)) + 2 * np.eye(6)[fresh][:, None, None, :]
    assert (model.predict(images, verbose=0).argmax(-1) == fresh).mean() > 0.9
    with pytest.raises(UserError, match="finite"):
        train_exit_head(np.full((4, 2, 2, 3), np.inf), labels[:4], np.eye(3)[labels[:4]], 8, 1, 1)


def test_the_int8_file_is_cut_at_the_same_place(made, source, digits, tmp_path):
    int8 = tmp_path / "tiny.int8.tflite"
    int8.write_bytes(quantization.quantize(source.files["fp32"], "int8_ptq", digits.x_train[:20]))
    contents = exit_model.quantize_early_exit(made.files, int8, P.exit_block, digits.x_train[:20])
    files = {role: tmp_path / f"{role}.tflite" for role in contents}
    for role, content in contents.items():
        files[role].write_bytes(content)
        quantization.assert_operators(load_workload(files[role]), "int8_ptq")
    answered = early_exit.answers(files, digits.x_test)
    assert (answered["final_class"] == predict_tflite(int8, digits.x_test).argmax(-1)).all()
    float_exit = early_exit.answers(made.files, digits.x_test)["confidence"]
    assert np.abs(answered["confidence"] - float_exit).max() < 0.1


def test_the_exit_stands_behind_the_block_that_was_asked_for(source):
    fp32 = source.files["fp32"]
    names = cut_points(fp32).set_index("index")["name"]
    assert "block_5_add" in names[early_exit.exit_cut(fp32, 5)]
    assert "block_3_project" in names[early_exit.exit_cut(fp32, 3)]
    with pytest.raises(UserError, match="exit_block 17"):
        early_exit.exit_cut(fp32, 17)


def test_a_model_is_made_once_and_told_apart_from_others(made, source):
    again = exit_model.exit_model(source, P, None)
    assert again.name == made.name and set(made.files) == {"first", "exit", "rest", "log"}
    other = SimpleNamespace(**{**vars(P), "exit_width": 24})
    with pytest.raises(UserError, match="energy is not stored"):
        exit_model.exit_model(source, other, None)
    with pytest.raises(UserError, match="no early_exit is recorded"):
        exit_model.describe_early_exit(made, P, None)
