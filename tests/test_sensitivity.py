"""Sensitivity finds the operator that suffers, the mixed file spares it, and the SQNR is the one that can be worked out."""

import math

import altair as alt
import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.report import charts
from hwaware_utils.report import figures_quantization as figures
from hwaware_utils.study import benchmark, data, partial_int8, quantization, sensitivity, sqnr
from hwaware_utils.study.preprocessing import to_input
from hwaware_utils.workload import load_workload

IMAGES = data.load("digits").x_train
CALIBRATION, PROBE = IMAGES[:30], IMAGES[30:90]


@pytest.fixture(scope="module")
def fp32(tmp_path_factory):
    """Four layers. Channel 0 of `wide` is 500 everywhere and read by nobody: its range takes all steps from the others."""
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    x = source = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="stem")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="deep")(x)
    x = layers.Conv2D(12, 1, name="wide")(x)
    x = layers.Conv2D(16, 3, activation="relu", name="narrow")(x)
    x = layers.Dense(10, name="head")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(source, x)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([4 * kernel, 0.1 + bias])
    kernel, bias = model.get_layer("wide").get_weights()
    bias[0] = 500
    model.get_layer("wide").set_weights([kernel, bias])
    kernel, bias = model.get_layer("narrow").get_weights()
    kernel[:, :, 0] = 0
    model.get_layer("narrow").set_weights([kernel, bias])
    path = tmp_path_factory.mktemp("models") / "small.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(model))
    return path


@pytest.fixture(scope="module")
def calibrated(fp32):
    return partial_int8.calibrate(fp32, CALIBRATION)


@pytest.fixture(scope="module")
def table(calibrated):
    return sensitivity.measure_sensitivity(calibrated, PROBE, data.load("digits").y_train[30:90])


@pytest.fixture(scope="module")
def int8(calibrated, fp32):
    path = fp32.with_name("small.int8.tflite")
    path.write_bytes(partial_int8.quantize_except(calibrated, set()))
    return path


def test_nothing_in_float_is_the_int8_file_of_the_other_way(fp32, int8):
    assert int8.read_bytes() == quantization.quantize(fp32, "int8_ptq", CALIBRATION)


def test_everything_in_float_is_the_fp32_model(calibrated, fp32, tmp_path):
    path = tmp_path / "float.tflite"
    path.write_bytes(partial_int8.quantize_except(calibrated, set(load_workload(fp32)["index"])))
    assert set(load_workload(path)["operator"]) == set(load_workload(fp32)["operator"])
    assert np.array_equal(benchmark.predict_tflite(path, PROBE), benchmark.predict_tflite(fp32, PROBE))


def test_one_operator_in_int8_is_that_one(calibrated, fp32, tmp_path):
    every, wide = set(load_workload(fp32)["index"]), partial_int8.layer_names(fp32).index("wide")
    path = tmp_path / "one.tflite"
    path.write_bytes(partial_int8.quantize_except(calibrated, every - {wide}))
    workload = load_workload(path).query("macs > 0")
    assert (workload["dtype"] == "int8").tolist() == [name == "wide" for name in ("stem", "deep", "wide", "narrow", "head")]


def test_layers_keep_their_names(fp32, table):
    assert table["name"].tolist() == ["stem", "deep", "wide", "narrow", "logits"]
    assert partial_int8.short_name("model/block_1_depthwise_relu/Relu6;model/block_1_depthwise/depthwise;;b/Pad1") == (
        "block_1_depthwise"
    )


def test_the_operators_at_the_spoilt_tensor_cost_most(table):
    assert set(table.nlargest(2, "cost_nats")["name"]) == {"wide", "narrow"}
    assert set(table["evidence"]) == {"measured"}
    assert (table["cost_nats"] >= 0).all()
    assert table["agreement"].between(0, 1).all()


def test_mixed_spares_them_and_is_nearer_to_fp32(calibrated, fp32, int8, table, tmp_path):
    content, left = sensitivity.quantize_mixed(calibrated, table, PROBE, error_share=0.5, float_share=0.9)
    assert (content, left) == sensitivity.quantize_mixed(calibrated, table, PROBE, error_share=0.5, float_share=0.9)
    assert set(left) == {"wide", "narrow"}
    path = tmp_path / "mixed.tflite"
    path.write_bytes(content)
    workload = load_workload(path)
    quantization.assert_operators(workload, "mixed")
    assert (workload["dtype"] == "int8").any()
    expected = benchmark.predict_tflite(fp32, PROBE)
    lost = [sensitivity.mean_kl_nats(expected, benchmark.predict_tflite(model, PROBE)) for model in (path, int8)]
    assert lost[0] <= 0.5 * lost[1]


def test_the_cap_on_float_work_is_kept(calibrated, table):
    share = 1.01 * float(
        (table["weight_bytes"] / table["weight_bytes"].sum()).combine(table["macs"] / table["macs"].sum(), max).min()
    )
    left = sensitivity.quantize_mixed(calibrated, table, PROBE, error_share=1e-9, float_share=share)[1]
    rows = table[table["name"].isin(left)]
    assert len(rows) >= 1
    assert (rows[["macs", "weight_bytes"]].sum() <= share * table[["macs", "weight_bytes"]].sum()).all()


def test_a_layer_left_in_float_keeps_its_own_bias(calibrated, fp32, tmp_path):
    from hwaware_utils.tflite_file import read_model

    every, stem = set(load_workload(fp32)["index"]), partial_int8.layer_names(fp32).index("stem")
    biases = []
    for number, floats in enumerate((every, every - {stem})):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(partial_int8.quantize_except(calibrated, floats))
        biases.append(
            {t.name: b for t in read_model(path).subgraphs[0].tensors if (b := _floats(read_model(path), t)) is not None}
        )
    own = {t.name: b for t in read_model(fp32).subgraphs[0].tensors if (b := _floats(read_model(fp32), t)) is not None}
    assert all(np.array_equal(own[name], bias) for kept in biases for name, bias in kept.items())
    assert len(biases[1]) < len(biases[0]) == len(own)


def _floats(model, tensor):
    content = model.buffers[tensor.buffer].data
    return np.frombuffer(content.tobytes(), "<f4") if tensor.type == 0 and content is not None and len(content) else None


def test_the_range_of_the_logits_cuts_nothing_off(fp32, calibrated):
    logits = benchmark.predict_tflite(fp32, CALIBRATION)
    output = calibrated.ranges[max(calibrated.ranges, key=lambda name: "PartitionedCall" in name)]
    assert float(output["min"].item()) == pytest.approx(logits.min(), rel=0.05)  # the biases were corrected in between
    assert float(output["max"].item()) == pytest.approx(logits.max(), rel=0.05)


def test_divergence_is_zero_for_the_same_and_blind_to_a_shift():
    logits = np.random.default_rng(0).normal(size=(7, 10))
    assert sensitivity.mean_kl_nats(logits, logits + 3) == pytest.approx(0, abs=1e-12)
    assert sensitivity.mean_kl_nats(logits, logits[:, ::-1]) > 0
    assert sensitivity.mean_kl_nats(np.array([[0.0, 0.0]]), np.array([[0.0, math.log(3)]])) == pytest.approx(
        0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    )


def test_the_ratio_by_hand():
    assert sqnr.ratio_db(3**2 + 4**2, (4 - 4.5) ** 2) == pytest.approx(20)  # (3, 4) against (3, 4.5)
    assert sqnr.ratio_db(1.0, 2.0) == pytest.approx(-3.0103, abs=1e-4)


def test_sqnr_of_the_output_agrees_with_the_logits(fp32, int8):
    measured = sqnr.measure_sqnr(fp32, int8, to_input(PROBE, 16))
    exact, rounded = (benchmark.predict_tflite(model, PROBE) for model in (fp32, int8))
    expected = 10 * np.log10(np.square(exact).sum() / np.square(exact - rounded).sum())
    assert measured["name"].tolist() == partial_int8.layer_names(fp32)
    assert measured["sqnr_db"].iloc[-1] == pytest.approx(expected, abs=0.5)  # other kernels, other rounding
    assert measured["sqnr_db"].iloc[0] > 20


def test_sqnr_of_a_model_against_itself_is_infinite(fp32):
    assert np.isinf(sqnr.measure_sqnr(fp32, fp32, to_input(PROBE[:2], 16))["sqnr_db"]).all()


def test_bad_input_gets_one_sentence(fp32, calibrated, table, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(b"hello, I am no model at all")
    with pytest.raises(UserError, match=r"no \.tflite model"):
        sqnr.measure_sqnr(fp32, other, to_input(PROBE[:1], 16))
    with pytest.raises(UserError, match="0 inputs"):
        sqnr.measure_sqnr(fp32, fp32, to_input(PROBE[:0], 16))
    with pytest.raises(UserError, match="0 probe images"):
        sensitivity.measure_sensitivity(calibrated, PROBE[:0])
    with pytest.raises(UserError, match="error_share 0"):
        sensitivity.quantize_mixed(calibrated, table, PROBE, error_share=0)
    with pytest.raises(UserError, match="every operator is larger"):
        sensitivity.quantize_mixed(calibrated, table, PROBE, float_share=1e-6)
    with pytest.raises(UserError, match="empty"):
        partial_int8.calibrate(fp32, CALIBRATION[:0])


TRADE = pd.DataFrame(
    {
        "variant": ["a-fp32", "a-int8_ptq", "b-fp32", "b-mixed"], "architecture": ["a", "a", "b", "b"],
        "precision": ["fp32", "int8_ptq", "fp32", "mixed"], "accuracy": [0.9, 0.897, 0.88, 0.8795],
        "accuracy_low": 0.87, "accuracy_high": 0.91, "points_against_own_fp32": [0, -0.3, 0, -0.05],
        "size_share": [1, 0.27, 1, 0.29], "latency_share": [1, 0.4, 1, 0.5], "evidence": "recorded",
    }
)  # fmt: skip
DRAWN = {
    "bars": lambda table, lines: figures.sensitivity_bars(table),
    "bars with marks": lambda table, lines: figures.sensitivity_bars(table.assign(left_in_float=table["name"] == "wide")),
    "many bars": lambda table, lines: figures.sensitivity_bars(pd.concat([table] * 5)),
    "lines": lambda table, lines: figures.sqnr_lines(lines),
    "two lines": lambda table, lines: figures.sqnr_lines(pd.concat([lines.assign(variant=v) for v in ("int8_ptq", "mixed")])),
    "trade-off": lambda table, lines: figures.quantization_tradeoff(TRADE),
    "trade-off in time": lambda table, lines: figures.quantization_tradeoff(TRADE, "latency_share"),
    "trade-off without intervals": lambda table, lines: figures.quantization_tradeoff(
        TRADE.drop(columns=["accuracy_low", "accuracy_high"])
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_chart_draws_and_says_what_it_shows(name, table):
    lines = table[["index", "name", "operator", "evidence"]].assign(sqnr_db=[40.0, 30.0, math.inf, 20.0, 25.0])
    charts.enable()
    try:
        spec = DRAWN[name](table, lines).to_dict()
    finally:
        alt.renderers.enable("default")
        alt.theme.enable("default")
    assert "Infinity" not in str(spec)
    assert charts.to_svg(spec).startswith("<svg")
    assert spec["description"].endswith((".", ")."))
    assert "nan" not in spec["description"]
