"""Conversion and measurement: right input quantisation, loud failures, honest intervals."""

import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.study import benchmark, data, quantization
from hwaware_utils.study.bias_correction import correct_biases, mean_loss
from hwaware_utils.study.preprocessing import to_input
from hwaware_utils.workload import load_workload


@pytest.fixture(scope="module")
def fp32(tmp_path_factory):
    from hwaware_utils.study.models import mobilenet_v2

    path = tmp_path_factory.mktemp("models") / "tiny.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(mobilenet_v2(0.35, 32, 10)))
    return path


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def int8(fp32, digits):
    path = fp32.with_name("tiny.int8.tflite")
    path.write_bytes(quantization.quantize(fp32, "int8_ptq", digits.x_train[:20]))
    return path


def test_conversion_keeps_the_function(digits, tmp_path):
    from hwaware_utils.study.models import mobilenet_v2
    from hwaware_utils.study.training import predict

    model = mobilenet_v2(0.35, 32, 10)
    path = tmp_path / "same.tflite"
    path.write_bytes(quantization.convert_fp32(model))
    expected = predict(model, digits.x_test[:20], 32)
    assert np.abs(benchmark.predict_tflite(path, digits.x_test[:20], batch=7) - expected).max() < 1e-3


def test_int8_is_int8_from_input_to_output(int8):
    interpreter = benchmark.open_model(int8)
    assert interpreter.get_input_details()[0]["dtype"] == np.int8
    assert interpreter.get_output_details()[0]["dtype"] == np.int8
    quantization.assert_operators(load_workload(int8), "int8_ptq")


def test_every_precision_shrinks_the_file(fp32, int8, digits):
    for precision in ("fp16", "dynamic"):
        assert len(quantization.quantize(fp32, precision, digits.x_train[:20])) < 0.6 * fp32.stat().st_size
    assert int8.stat().st_size < 0.5 * fp32.stat().st_size


def test_bias_correction_brings_the_mean_logits_nearer_to_the_float_model(digits, tmp_path):
    from ai_edge_quantizer import quantizer, recipe

    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(n, 3, activation="relu", bias_initializer="random_normal") for n in (16, 32, 64)]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, bias_initializer="random_normal")]
    fp32 = tmp_path / "small.fp32.tflite"
    fp32.write_bytes(quantization.convert_fp32(keras.Sequential([keras.Input((32, 32, 3)), *layers, *head])))
    expected = benchmark.predict_tflite(fp32, digits.x_train[:50]).mean(0)
    distance = {}
    for name, source in (("plain", fp32.read_bytes()), ("corrected", correct_biases(fp32, to_input(digits.x_train[:50], 32)))):
        tool = quantizer.Quantizer(bytearray(source), recipe.weight_only_wi8_afp32())
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(bytes(tool.quantize(enable_progress_report=False).quantized_model))
        distance[name] = np.abs(benchmark.predict_tflite(path, digits.x_train[:50]).mean(0) - expected).max()
    assert distance["corrected"] < 0.5 * distance["plain"]


def test_bias_correction_changes_nothing_where_rounding_loses_nothing():
    exact = np.array([[-127.0, 3.0], [127.0, -64.0]])
    assert mean_loss(exact, np.array([5.0, 7.0]), depthwise=False).tolist() == [0, 0]


def test_a_conversion_that_fell_back_to_float_fails_loudly(fp32):
    with pytest.raises(ValueError, match="fell back to float"):
        quantization.assert_operators(load_workload(fp32), "int8_ptq")


def test_a_conversion_that_left_a_variable_fails_loudly():
    table = pd.DataFrame({"operator": ["CONV_2D", "VAR_HANDLE"], "macs": [1, 0], "dtype": ["float32"] * 2, "name": ["a", "b"]})
    with pytest.raises(ValueError, match="VAR_HANDLE"):
        quantization.assert_operators(table, "fp32")


def test_input_is_quantised_not_cast():
    detail = {"dtype": np.int8, "quantization": (1 / 127.5, 0)}
    assert benchmark.quantize_input(np.array([-1.0, 0.0, 0.5, 1.0]), detail).tolist() == [-128, 0, 64, 127]


@pytest.mark.parametrize("n", [0, -1, 10_000])
def test_a_useless_calibration_set_is_refused(digits, n):
    with pytest.raises(UserError, match="calibration_images"):
        quantization.calibration_images(digits, n, 7)


def test_an_unknown_precision_is_refused(fp32):
    with pytest.raises(UserError, match="int9"):
        quantization.quantize(fp32, "int9")


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "not.tflite"
    path.write_bytes(b"hello, world")
    with pytest.raises(UserError, match=r"no \.tflite file"):
        benchmark.open_model(path)


def test_the_interval_holds_the_share_and_shrinks_with_more_images():
    low, high = benchmark.wilson_interval(930, 1000)
    wider = benchmark.wilson_interval(93, 100)
    assert low < 0.93 < high
    assert wider[0] < low < high < wider[1]
    assert benchmark.wilson_interval(100, 100)[1] <= 1.0


def test_latency_is_reported_with_ordered_quantiles(fp32, int8):
    table = benchmark.measure_latency({"a": fp32, "b": int8}, n_runs=20, warm_up_runs=2)
    assert (table["latency_ms_low"] <= table["latency_ms"]).all()
    assert (table["latency_ms"] <= table["latency_ms_high"]).all()
    assert (table["latency_ms_high"] <= table["p99_ms"]).all()


def test_a_compact_file_is_smaller_and_bit_identical(fp32, digits, tmp_path):
    from ai_edge_quantizer import quantizer, recipe

    from hwaware_utils.tflite_write import compact

    tool = quantizer.Quantizer(str(fp32))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    samples = [{quantization.INPUT: x[None]} for x in to_input(digits.x_train[:10], 32)]
    whole = bytes(
        tool.quantize(tool.calibrate({quantization.SIGNATURE: samples}), enable_progress_report=False).quantized_model
    )
    small = compact(whole)
    assert len(small) < 0.95 * len(whole)
    assert compact(small) == small
    for name, content in (("whole", whole), ("small", small)):
        (tmp_path / name).write_bytes(content)
    outputs = [benchmark.predict_tflite(tmp_path / name, digits.x_test[:20]) for name in ("whole", "small")]
    assert (outputs[0] == outputs[1]).all()
    assert load_workload(tmp_path / "whole").equals(load_workload(tmp_path / "small"))


def test_an_empty_calibration_set_and_nan_are_refused(fp32, digits):
    with pytest.raises(UserError, match="empty"):
        quantization.quantize(fp32, "int8_ptq", digits.x_train[:0])
    with pytest.raises(UserError, match="NaN"):
        quantization.quantize(fp32, "int8_ptq", np.full((2, 8, 8, 3), np.nan))
    with pytest.raises(UserError, match="calibration images"):
        quantization.quantize(fp32, "dynamic")
