"""How INT8 fails, on a small network in which the cause of the collapse is planted by hand."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from hwaware_utils.base import artifacts, reference
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.base.quiet import quiet
from hwaware_utils.base.schema_types import Common
from hwaware_utils.report.charts import to_svg
from hwaware_utils.report.figures_failures import channel_ranges, failures
from hwaware_utils.study import benchmark, data, int8_failures, plain_int8, quantization
from hwaware_utils.study.float_layers import FloatModel
from hwaware_utils.study.preprocessing import to_input
from hwaware_utils.tflite_file import read_model

PIXELS = 16


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def fp32(digits, tmp_path_factory):
    """Two inverted residuals trained on digits; then three channels fall silent, with huge depthwise weights behind them."""
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(5)
    layers = keras.layers
    net = keras.Sequential([keras.Input((PIXELS, PIXELS, 3)), layers.Conv2D(16, 3, padding="same"), layers.ReLU(6.0)])
    for width, stride in ((16, 1), (32, 2)):
        expand = layers.Conv2D(4 * width, 1, name=f"expand_{width}")
        depthwise = layers.DepthwiseConv2D(3, stride, "same", name=f"depthwise_{width}")
        for layer in (expand, layers.ReLU(6.0), depthwise, layers.ReLU(6.0), layers.Conv2D(width, 1)):
            net.add(layer)
    net.add(layers.GlobalAveragePooling2D())
    net.add(layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.legacy.Adam(2e-3), loss)
    net.fit(to_input(digits.x_train, PIXELS), digits.y_train, batch_size=32, epochs=20, verbose=0)
    for width in (16, 32):
        kernel, bias = net.get_layer(f"expand_{width}").get_weights()
        kernel[..., :3], bias[:3] = 1e-4, -1.0
        net.get_layer(f"expand_{width}").set_weights([kernel, bias])
        kernel, bias = net.get_layer(f"depthwise_{width}").get_weights()
        kernel[:, :, :3], bias[:3] = 300.0, 0.0
        net.get_layer(f"depthwise_{width}").set_weights([kernel, bias])
    path = tmp_path_factory.mktemp("models") / "planted.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(net))
    return path


@pytest.fixture(scope="module")
def table(fp32, digits):
    return int8_failures.measure_failures(fp32, digits, digits.x_train[:40], n_test=200, seed=7)


def test_the_table_says_what_was_done_and_how_sure_it_is(table, fp32):
    check_evidence(table, "int8_failures")
    assert list(table["group"].drop_duplicates()) == ["reference", "cause", "cure"]
    assert table["name"].is_unique
    assert table["done"].str.len().between(5, 80).all()
    assert (table["accuracy_low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["accuracy_high"]).all()
    assert set(table["accuracy_n"]) == {200}
    assert set(table["chance"]) == {0.1}
    assert set(table["sha256"]) == {artifacts.sha256(fp32)}


def test_the_planted_cause_is_found_and_cured(table):
    accuracy = table.set_index("name")["accuracy"]
    right = accuracy["INT8, done right"]
    assert accuracy["FP32"] > 0.8
    assert accuracy["FP32, equalised"] == accuracy["FP32"]
    assert right > accuracy["FP32"] - 0.05
    assert accuracy["1 scale a channel"] == accuracy["rounding bias left in"] > accuracy["FP32"] - 0.05
    assert accuracy["input in [-1, 1] cast"] < right - 0.3
    assert accuracy["1 scale, depthwise"] < right - 0.3
    assert accuracy["1 scale, weights only"] < right - 0.3
    assert accuracy["silent channels at 0"] > right - 0.1
    assert accuracy["equalised"] > right - 0.1
    assert accuracy["equalised, corrected"] > right - 0.1
    done = table.set_index("name").loc["silent channels at 0", "done"]
    assert int(re.search(r"(\d+) channels", done)[1]) >= 6


def test_casts_do_what_numpy_does():
    detail = {"dtype": np.int8}
    x = np.array([-1.0, -0.9, 0.0, 0.9, 1.0])
    assert int8_failures.cast(x, detail).tolist() == [-1, 0, 0, 0, 1]
    assert int8_failures.cast_unit(x, detail).tolist() == [0, 0, 0, 0, 1]
    pixels = np.array([0, 127, 128, 255]) / 127.5 - 1
    assert int8_failures.cast_bytes(pixels, detail).tolist() == [0, 127, -128, -1]


def test_counting_agrees_with_predicting(fp32, digits):
    images, labels = digits.x_test[:70], digits.y_test[:70]  # no multiple of the batch
    expected = (benchmark.predict_tflite(fp32, images).argmax(-1) == labels).sum()
    assert int8_failures.count_correct(fp32, images, labels) == expected


def test_only_the_named_layers_get_one_scale(fp32, digits, tmp_path):
    x = to_input(digits.x_train[:5], PIXELS)
    counted = {}
    for name, layers in {"none": (), "depthwise": int8_failures.DEPTHWISE, "all": int8_failures.ALL}.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(plain_int8.convert_int8(fp32, x, layers))
        graph, codes = read_model(path).subgraphs[0], read_model(path).operatorCodes
        counted[name] = {
            codes[op.opcodeIndex].builtinCode: len(graph.tensors[op.inputs[1]].quantization.scale)
            for op in graph.operators
            if codes[op.opcodeIndex].builtinCode in (3, 4, 9)
        }
    assert counted["all"] == {3: 1, 4: 1, 9: 1}
    assert counted["depthwise"] == counted["none"] | {4: 1}
    assert min(counted["none"].values()) > 1


def test_fast_calibration_sets_the_ranges_of_the_usual_one(fp32, digits, tmp_path):
    from ai_edge_quantizer import quantizer, recipe

    x = to_input(digits.x_train[:8], PIXELS)
    tool = quantizer.Quantizer(str(fp32), recipe.static_wi8_ai8())
    with quiet():
        usual = tool.calibrate({quantization.SIGNATURE: [{quantization.INPUT: one[None]} for one in x]})
        content = bytes(tool.quantize(usual, enable_progress_report=False).quantized_model)
    paths = tmp_path / "usual.tflite", tmp_path / "fast.tflite"
    paths[0].write_bytes(content)
    paths[1].write_bytes(plain_int8.convert_int8(fp32, x))
    tensors = [[t for t in read_model(p).subgraphs[0].tensors if t.quantization.scale is not None] for p in paths]
    for one, other in zip(*tensors, strict=True):
        assert np.allclose(one.quantization.scale, other.quantization.scale, rtol=1e-3)


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_correction_gives_back_the_mean_that_one_scale_takes(depthwise):
    rng = np.random.default_rng(0)
    weights, x = rng.normal(size=(1, 1, 1, 6) if depthwise else (6, 1, 1, 4)), rng.uniform(0, 6, (50, 6 if depthwise else 4))
    scale = np.abs(weights).max() / 127

    def mean_output(kernel):
        return (x * kernel[0, 0, 0] if depthwise else x @ kernel[:, 0, 0].T).mean(axis=0)

    rounded = mean_output(np.round(weights / scale) * scale)
    lost = plain_int8.mean_loss(weights, x.mean(axis=0), depthwise)
    assert np.allclose(rounded + lost, mean_output(weights))
    assert np.abs(lost).max() > 1e-4


def test_every_bias_is_corrected_by_the_loss_of_its_own_layer(digits, fp32, tmp_path):
    x, corrected = to_input(digits.x_train[:10], PIXELS), tmp_path / "corrected.tflite"
    corrected.write_bytes(plain_int8.correct_biases(fp32, x))
    before, after, first = FloatModel(fp32), FloatModel(corrected), FloatModel(fp32).layers[0]
    lost = plain_int8.mean_loss(before[first.weights], x.mean(axis=(0, 1, 2)), depthwise=False)
    assert np.allclose(after[first.bias] - before[first.bias], lost, atol=1e-6)
    assert all((after[layer.bias] != before[layer.bias]).any() for layer in before.layers)
    assert all((after[layer.weights] == before[layer.weights]).all() for layer in before.layers)


@pytest.mark.parametrize("n", [0, 501])
def test_more_test_images_than_there_are_is_refused(fp32, digits, n):
    with pytest.raises(UserError, match=f"failure_images {n}"):
        int8_failures.measure_failures(fp32, digits, digits.x_train[:5], n)


@pytest.mark.parametrize("inputs", [np.zeros((0, 16, 16, 3)), np.full((2, 16, 16, 3), np.nan)])
def test_useless_calibration_is_refused(fp32, inputs):
    with pytest.raises(UserError, match="empty or hold NaN"):
        plain_int8.convert_int8(fp32, inputs)


def test_without_images_the_recorded_tables_are_shown(fp32, digits, table, tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "REFERENCE", tmp_path)
    with pytest.raises(UserError, match="recorded"):
        int8_failures.failures(fp32, None, Common())
    ranges = int8_failures.measure_ranges(fp32, digits.x_train[:10])
    for name, frame in {"int8_failures": table, "int8_channel_ranges": ranges}.items():
        frame.assign(evidence="recorded", recorded_host="x").to_csv(tmp_path / f"{name}.csv", index=False)
    shown, _ = int8_failures.failures(fp32, None, Common())
    pd.testing.assert_frame_equal(shown, table.assign(evidence="recorded"), check_dtype=False)


def test_the_accuracy_of_qat_comes_from_the_matrix(table):
    columns = ["accuracy", "accuracy_low", "accuracy_high", "accuracy_n", "dataset", "evidence"]
    variants = table.head(2)[columns].assign(architecture="baseline", precision=["fp32", "int8_qat"], accuracy=[0.9, 0.8])
    last = int8_failures.add_qat(table, variants).iloc[-1]
    assert (last["group"], last["accuracy"], last["chance"]) == ("cure", 0.8, 0.1)
    assert int8_failures.add_qat(table, variants.head(1)).equals(table)


def test_charts_state_the_finding(table, fp32, digits):
    chart = failures(table).to_dict()
    assert "18 ways" in chart["description"]  # the three references are none
    assert "input in [-1, 1] cast" in chart["description"]
    for group in ("cause", "cure"):  # the notebook draws them one at a time
        part = failures(table[table["group"].isin(["reference", group])]).to_dict()
        assert f"({group})" in part["description"]
    ranges = int8_failures.measure_ranges(fp32, digits.x_train[:10])
    assert "rounded to 0" in channel_ranges(ranges).to_dict()["description"]
    for made in (failures(table), channel_ranges(ranges)):
        assert to_svg(made.to_dict()).startswith("<svg")


def test_the_stored_reference_collapses_for_the_reason_given():
    path = ROOT / "results" / "reference" / "int8_failures.csv"
    if not path.is_file():
        pytest.skip("no recorded INT8 failures")
    accuracy = pd.read_csv(path).set_index("name")["accuracy"]
    assert accuracy["INT8, done right"] > accuracy["FP32"] - 0.01
    assert accuracy["input in [-1, 1] cast"] < 0.2
