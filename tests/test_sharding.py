"""Sharding: the cuts are the best ones, and the memory that it saves is real."""

import sys
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from hwaware_utils.base import artifacts
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms.activation_memory import (
    compare_activations,
    describe_activations,
    measure_arena_bytes,
    quantize_int16,
)
from hwaware_utils.platforms.memory import arena_bytes
from hwaware_utils.study import data, quantization
from hwaware_utils.study.preprocessing import to_input
from hwaware_utils.study.sharding import choose_cuts, measure_sharding
from hwaware_utils.study.split import cut_points, split
from hwaware_utils.study.static_quantization import quantize_static
from hwaware_utils.workload import load_tensors, load_workload


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def models(tmp_path_factory, digits):
    from hwaware_utils.study.models import mobilenet_v2
    from hwaware_utils.study.tf import keras

    folder, images = tmp_path_factory.mktemp("models"), digits.x_train[:10]
    files = {precision: folder / f"tiny.{precision}.tflite" for precision in ("fp32", "int16x8", "int8_ptq")}
    model = mobilenet_v2(0.35, 64, 10)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(to_input(images, 64), training=True)  # without statistics activations vanish, and LiteRT refuses their scales
    files["fp32"].write_bytes(quantization.convert_fp32(model))
    files["int8_ptq"].write_bytes(quantization.quantize(files["fp32"], "int8_ptq", images))
    files["int16x8"].write_bytes(quantize_int16(files["fp32"], images))
    return files


@pytest.fixture(scope="module")
def sharded(models):
    return measure_sharding({"tiny-fp32": models["fp32"]}, segments=(1, 2, 3), n_runs=20, repeats=1)


def need_of(content, folder):
    """Weights and planned arena of a segment, by the tables of the written file."""
    file = folder / "segment.tflite"
    file.write_bytes(content)
    return load_workload(file)["weight_bytes"].sum() + arena_bytes(load_tensors(file))


@pytest.mark.parametrize("n", [2, 3])
def test_no_other_cut_makes_the_largest_segment_smaller(models, n, tmp_path):
    def largest(cuts):
        return max(need_of(content, tmp_path) for content in split(models["fp32"], cuts))

    best = largest(choose_cuts(models["fp32"], n))
    points = cut_points(models["fp32"])["index"].tolist()
    some = list(combinations(points, n - 1))[:: 3 if n == 2 else 60]
    assert best <= min(largest(list(cuts)) for cuts in some)


def test_one_segment_needs_no_cut(models):
    assert choose_cuts(models["fp32"], 1) == []


@pytest.mark.parametrize("n", [0, 5, -1])
def test_a_useless_number_of_segments_is_refused(models, n):
    with pytest.raises(UserError, match=f"{n} segments"):
        choose_cuts(models["fp32"], n)


def test_the_segments_compute_the_same_and_need_less(sharded):
    check_evidence(sharded, "sharding")
    assert sharded["outputs_equal"].all()
    assert sharded["largest_file_bytes"].is_monotonic_decreasing
    assert sharded["transfer_bytes"].iloc[0] == 0 and (sharded["transfer_bytes"].iloc[1:] > 0).all()
    assert (sharded["latency_ms_low"] <= sharded["latency_ms"]).all()
    assert (sharded["reload_ms"] > 0).all()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel must tell the peak")
def test_the_measured_peak_lies_where_it_must(sharded):
    peak = sharded["peak_in_place_kib"].to_numpy()
    assert peak[0] > sharded["largest_file_bytes"].iloc[0] / 1024  # the whole file has been read
    assert peak[1] < 0.85 * peak[0] and peak[2] < peak[0]
    assert (sharded["peak_kib"] > peak).all()  # XNNPACK keeps a second copy of the weights


def test_activations_shrink_by_two_and_by_four(models, digits):
    table = compare_activations(models, digits, n=30)
    check_evidence(table, "activations")
    assert table["ratio"].tolist() == pytest.approx([1, 0.5, 0.25], rel=0.01)
    assert table["peak_operator"].nunique() == 1
    assert (table["accuracy_n"] == 30).all()
    # LiteRT's own planner also keeps the input; it can do no better than what is alive at once
    assert (table["measured_arena_kib"] >= table["arena_kib"]).all()
    assert (table["measured_arena_kib"] <= 1.3 * table["arena_kib"]).all()


def test_activations_are_described_from_an_artifact(models, digits):
    facts = {"recipe": {"architecture": "tiny"}, "dataset": digits.name}
    facts["files"] = {"fp32": {"sha256": artifacts.sha256(models["fp32"])}}
    source = artifacts.Artifact("tiny-0123", {"fp32": models["fp32"]}, facts, recorded=False)
    p = SimpleNamespace(profile="smoke", retrain=False, seed=7, calibration_images=5, activation_images=20)
    table = describe_activations(source, p, digits)
    assert table["precision"].tolist() == ["fp32", "int16x8", "int8_ptq"]
    assert set(table["sha256"]) == {artifacts.sha256(models["fp32"])}
    with pytest.raises(UserError, match="no activations is recorded for tiny-0123"):
        describe_activations(source, p, None)


def test_the_arena_of_litert_holds_the_input_beside_the_plan(models):
    tensors = load_tensors(models["fp32"])
    assert measure_arena_bytes(models["fp32"]) <= arena_bytes(tensors) + tensors["bytes"].iloc[0] + 4096


def test_int16_activations_are_int16(models):
    assert set(load_workload(models["int16x8"])["dtype"]) == {"int16"}


def test_bad_input_gets_a_sentence(models, digits):
    with pytest.raises(UserError, match="test images"):
        compare_activations(models, digits, n=0)
    with pytest.raises(UserError, match="activation_bits 4"):
        quantize_static(models["fp32"], np.zeros((1, 64, 64, 3), np.float32), 4)
    for inputs in (np.zeros((0, 64, 64, 3), np.float32), np.full((1, 64, 64, 3), np.nan, np.float32)):
        with pytest.raises(UserError, match="calibration inputs"):
            quantize_static(models["fp32"], inputs, 8)
