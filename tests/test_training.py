"""Training: resumable to the bit, students and their teacher, and artifacts that are found or refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base import artifacts
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.base.schema_study import Optimizations
from hwaware_utils.study import data, trained
from hwaware_utils.study.recipe import Recipe

RECIPE = Recipe("baseline", "digits", 10, 0.35, 32, "none", 1, 32, 0, 2, 1e-3, 0.0, 32, 7)


@pytest.fixture(scope="module")
def few_digits():
    digits = data.load("digits")
    return replace(
        digits, x_train=digits.x_train[:96], y_train=digits.y_train[:96], x_test=digits.x_test[:50], y_test=digits.y_test[:50]
    )


def test_an_interrupted_training_ends_with_the_same_weights(few_digits, tmp_path):
    from hwaware_utils.study import training

    class Interrupted(Exception):
        pass

    def stop_after_epoch_1(sentence):
        if "fine-tuning 1/" in sentence:
            raise Interrupted

    whole, log = training.train(RECIPE, few_digits, tmp_path / "whole", say=lambda _: None)
    with pytest.raises(Interrupted):
        training.train(RECIPE, few_digits, tmp_path / "parts", say=stop_after_epoch_1)
    said = []
    resumed, resumed_log = training.train(RECIPE, few_digits, tmp_path / "parts", say=said.append)
    assert "resumed after epoch 1 of 2" in said[0]
    assert all((a == b).all() for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True))
    assert (log.drop(columns="seconds").round(6).fillna(-1) == resumed_log.drop(columns="seconds").round(6).fillna(-1)).all(
        axis=None
    )


def test_students_share_the_logits_of_their_teacher(few_digits, tmp_path):
    from hwaware_utils.study import models, training

    teacher = models.mobilenet_v2(0.35, 32, 10)
    said = []
    wanted = replace(
        RECIPE, architecture="memory", head_epochs=0, epochs=1, teacher="baseline-x", teacher_weight=0.7, expansion=0.5
    )
    student, log = training.train(wanted, few_digits, tmp_path / "one", teacher=teacher, say=said.append)
    logits = list((tmp_path / "teacher_logits").glob("*.npy"))
    assert len(logits) == 1
    assert np.load(logits[0], allow_pickle=False).shape == (3, 32, 10)
    again, _ = training.train(wanted, few_digits, tmp_path / "two", teacher=teacher, say=said.append)
    assert all((a == b).all() for a, b in zip(student.get_weights(), again.get_weights(), strict=True))
    assert log["phase"].tolist() == ["start", "fine-tuning"]
    alone, _ = training.train(
        replace(wanted, teacher_weight=0.0), few_digits, tmp_path / "three", teacher=teacher, say=said.append
    )
    assert any((a != b).any() for a, b in zip(student.get_weights(), alone.get_weights(), strict=True))
    assert list((tmp_path / "teacher_logits").glob("*.npy")) == logits


def test_polishing_follows_fine_tuning_at_the_full_resolution(few_digits, tmp_path):
    from hwaware_utils.study import training

    wanted = replace(RECIPE, resolution=64, first_resolution=32, epochs=1, polish_epochs=1, polish_learning_rate=1e-4)
    model, log = training.train(wanted, few_digits, tmp_path, say=lambda _: None)
    assert log["phase"].tolist() == ["head", "fine-tuning", "polishing"]
    assert log["resolution"].tolist() == [32, 32, 64]
    assert model.input_shape[1] == 64


def test_a_new_field_of_the_recipe_changes_no_old_id():
    assert RECIPE.id == artifacts.recipe_id(RECIPE.facts)
    assert "stream" not in RECIPE.facts
    assert replace(RECIPE, stream=0.5).id != RECIPE.id
    assert Recipe(**RECIPE.facts) == RECIPE


def test_without_data_and_without_an_artifact_training_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    with pytest.raises(UserError, match="is not stored"):
        trained.trained(replace(RECIPE, seed=99), "smoke", None)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    return artifacts.add(RECIPE.facts, "smoke", {"fp32": ("fp32.tflite", b"0123TFL3 and more")}, dataset="digits")


def test_an_artifact_is_found_by_its_recipe_only(stored):
    assert artifacts.find(RECIPE.id, "smoke").files["fp32"].read_bytes() == b"0123TFL3 and more"
    assert artifacts.find(replace(RECIPE, epochs=3).id, "smoke") is None


@pytest.mark.parametrize(
    "damage", [lambda p: p.write_bytes(p.read_bytes()[:7]), lambda p: p.unlink()], ids=["truncated", "missing"]
)
def test_a_damaged_artifact_is_refused_by_name(stored, damage):
    damage(stored.files["fp32"])
    with pytest.raises(UserError, match=r"baseline-.*\.fp32\.tflite"):
        artifacts.find(RECIPE.id, "smoke")


def test_two_recipes_do_not_share_a_file(stored):
    other = replace(RECIPE, epochs=3)
    artifacts.add(other.facts, "smoke", {"fp32": ("fp32.tflite", b"0123TFL3 another")}, dataset="digits")
    assert artifacts.find(RECIPE.id, "smoke").files["fp32"].read_bytes() == b"0123TFL3 and more"
    assert artifacts.find(other.id, "smoke").files["fp32"].read_bytes() == b"0123TFL3 another"


def test_a_truncated_model_of_the_reference_is_refused_by_name(tmp_path, monkeypatch):
    copy = Path(shutil.copytree(REFERENCE, tmp_path / "reference"))
    monkeypatch.setattr(artifacts, "REFERENCE", copy)
    name = next(iter(artifacts.read_manifest(copy)))
    victim = next(iter(artifacts.find(name, "no-such-profile").files.values()))
    victim.write_bytes(victim.read_bytes()[:1000])
    with pytest.raises(UserError, match=victim.name):
        artifacts.find(name, "no-such-profile")


def test_a_log_that_does_not_reach_its_checkpoint_is_refused(tmp_path):
    from hwaware_utils.study.training import _read_log

    for content in ("", "phase,epoch\nhead,0\n"):
        (tmp_path / "training_log.csv").write_text(content)
        with pytest.raises(UserError, match="does not match the checkpoint"):
            _read_log(tmp_path / "training_log.csv", 1)


def test_a_damaged_manifest_is_refused_by_name(stored):
    manifest = stored.files["fp32"].parent / "manifest.json"
    for text in ("{", "[]", '{"a": 1}'):
        manifest.write_text(text)
        with pytest.raises(UserError, match=r"manifest\.json is damaged"):
            artifacts.find(RECIPE.id, "smoke")


def test_an_ablation_is_trained_once(few_digits, tmp_path, monkeypatch):
    from hwaware_utils.study import ablations, training

    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    asked = []

    def train(recipe, data, folder, teacher):
        asked.append(recipe)
        return None, pd.DataFrame({"seconds": [0.0, 2.5], "test_accuracy": [0.1 + 0.2, 1 / (2 + len(asked))]})

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(ablations, "keras_model", lambda artifact: None)
    facts = {"recipe": RECIPE.facts, "files": {"fp32": {"sha256": "of no stored file"}}}
    baseline = artifacts.Artifact("baseline-0123", {}, facts, recorded=False)
    p = Optimizations(ablation_images=64)
    first, again = (ablations.measure_distillation(p, baseline, few_digits) for _ in range(2))
    assert [recipe.teacher_weight for recipe in asked] == [p.teacher_weight, 0.0]
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    ablations.measure_distillation(Optimizations(ablation_images=32), baseline, few_digits)
    assert len(asked) == 4
