"""The workload table: exact counts, tensors with lifetimes, and damaged files refused at the door."""

import subprocess
import sys

import numpy as np
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms.memory import arena_bytes
from hwaware_utils.platforms.mobilenet import mobilenet_tensors, mobilenet_workload
from hwaware_utils.tflite_file import read_model
from hwaware_utils.tflite_write import write_model
from hwaware_utils.workload import count_macs, load_tensors, load_workload, size_bytes, summary


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> dict:
    """A net small enough to count by hand in four precisions, and MobileNetV2 0.35 at 32 px; name -> path."""
    from hwaware_utils.study.models import mobilenet_v2
    from hwaware_utils.study.tf import keras, tf

    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(1)
    tiny = keras.Sequential(
        [
            keras.layers.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, strides=2, padding="same", bias_initializer="ones"),
            keras.layers.DepthwiseConv2D(3, padding="valid", bias_initializer="ones"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5, bias_initializer="ones"),
        ]
    )
    paths, samples = {}, np.random.default_rng(1).random((4, 1, 8, 8, 3), np.float32)
    for precision in ("fp32", "fp16", "dynamic", "int8"):
        converter = tf.lite.TFLiteConverter.from_keras_model(tiny)
        if precision != "fp32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "fp16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: ([x] for x in samples)
        paths[precision] = folder / f"{precision}.tflite"
        paths[precision].write_bytes(converter.convert())
    paths["mobilenet"] = folder / "mobilenet.tflite"
    converter = tf.lite.TFLiteConverter.from_keras_model(mobilenet_v2(0.35, 32, 10))
    paths["mobilenet"].write_bytes(converter.convert())
    return paths


def test_tiny_net_is_counted_as_by_hand(models):
    table = load_workload(models["fp32"]).set_index("operator")
    # 8x8x3 -> stride 2 -> 4x4x4: 16 places x 4 filters x 27; -> valid 3x3 -> 2x2x4: 16 x 9; dense 4 x 5
    assert table.loc["CONV_2D", "macs"] == 16 * 4 * 27
    assert table.loc["DEPTHWISE_CONV_2D", "macs"] == 2 * 2 * 4 * 9
    assert table.loc["FULLY_CONNECTED", "macs"] == 20
    assert table.loc["CONV_2D", "weights"] == 4 * 27 + 4
    assert table.loc["CONV_2D", "input_bytes"] == 8 * 8 * 3 * 4
    assert table.loc["CONV_2D", "kernel"] == (3, 3)
    assert table.loc["CONV_2D", "output_shape"] == (1, 4, 4, 4)
    assert table["known"].all()
    check_evidence(load_workload(models["fp32"]), "workload")


def test_every_precision_does_the_same_macs_with_its_own_bytes(models):
    tables = {p: load_workload(models[p]) for p in ("fp32", "fp16", "dynamic", "int8")}
    assert {t["macs"].sum() for t in tables.values()} == {16 * 4 * 27 + 144 + 20}
    assert tables["fp16"]["weight_bytes"].sum() < tables["fp32"]["weight_bytes"].sum()
    assert tables["int8"].loc[tables["int8"]["operator"] == "CONV_2D", "weight_bytes"].item() == 4 * 27 + 4 * 4
    assert (tables["int8"].loc[tables["int8"]["macs"] > 0, "dtype"] == "int8").all()


def test_totals_agree_with_the_rows(models):
    table = load_workload(models["fp32"])
    totals = summary(table)
    assert totals["macs"] == table["macs"].sum()
    assert totals["parameters"] == 112 + 40 + 25
    assert totals["unknown_operators"] == 0
    assert size_bytes(models["fp32"]) == models["fp32"].stat().st_size


def test_formula_equals_the_converted_mobilenet(models):
    written, converted = mobilenet_workload("mobilenet_v2", 0.35, 32, 10), load_workload(models["mobilenet"])
    heavy = [table[table["macs"] > 0] for table in (written, converted)]
    for column in ("operator", "macs", "kernel", "input_bytes", "output_bytes"):
        assert heavy[0][column].tolist() == heavy[1][column].tolist()
    assert arena_bytes(load_tensors(models["mobilenet"])) == arena_bytes(
        mobilenet_tensors("mobilenet_v2", 0.35, 32, 10, "fp32")
    )


def test_tensors_live_from_first_to_last_use(models):
    tensors, operators = load_tensors(models["fp32"]), load_workload(models["fp32"])
    assert (tensors["first"] <= tensors["last"]).all()
    assert tensors["last"].max() == len(operators) - 1
    chain = tensors.sort_values("first")
    assert chain.iloc[0]["bytes"] == 8 * 8 * 3 * 4
    assert set(tensors["tensor"]) == {t for row in operators.itertuples() for t in (*row.inputs, *row.outputs)}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_cut_files_are_refused_by_name_wherever_they_are_cut(models, tmp_path, precision):
    whole = models[precision].read_bytes()
    cut = tmp_path / "cut.tflite"
    for end in {*range(0, len(whole) - 16, max(len(whole) // 60, 1)), 3, 8, 9, len(whole) - 300}:
        cut.write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"cut\.tflite"):
            load_workload(cut)


def test_corrupt_bytes_never_crash(models, tmp_path):
    whole, random = models["int8"].read_bytes(), np.random.default_rng(7)
    path = tmp_path / "corrupt.tflite"
    for _ in range(60):
        content = bytearray(whole)
        for position in random.integers(8, len(whole), 4):
            content[position] = random.integers(0, 256)
        path.write_bytes(content)
        try:
            load_workload(path)
        except UserError as error:
            assert "corrupt.tflite" in str(error)


def test_a_convolution_of_a_scalar_is_refused(models, tmp_path):
    model, path = read_model(models["int8"]), tmp_path / "scalar.tflite"
    graph = model.subgraphs[0]
    convolution = next(row for row in load_workload(models["int8"]).itertuples() if row.operator == "CONV_2D")
    graph.tensors[convolution.inputs[0]].shape = np.array([], np.int32)
    path.write_bytes(write_model(model))
    with pytest.raises(UserError, match=r"scalar\.tflite.*without a shape"):
        load_workload(path)


def test_other_files_are_refused_in_words(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("this is no model, whatever its name may say")
    with pytest.raises(UserError, match="TFL3"):
        load_workload(path)
    with pytest.raises(UserError, match="does not exist"):
        load_workload(tmp_path / "missing.tflite")
    with pytest.raises(UserError, match="does not exist"):
        load_workload(tmp_path)


def test_macs_of_single_operators():
    assert count_macs("CONV_2D", (1, 5, 5, 8), (8, 1, 1, 16)) == 25 * 8 * 16
    assert count_macs("DEPTHWISE_CONV_2D", (1, 5, 5, 16), (1, 3, 3, 16)) == 25 * 16 * 9
    assert count_macs("FULLY_CONNECTED", (1, 10), (10, 1280)) == 12800
    assert count_macs("ADD", (1, 5, 5, 16), (16,)) == 0


def test_nothing_here_imports_tensorflow():
    modules = (
        "hwaware_utils.workload hwaware_utils.platforms.latency hwaware_utils.platforms.energy hwaware_utils.decide.methodology"
    )
    modules += " hwaware_utils.platforms.memory hwaware_utils.decide.pareto hwaware_utils.platforms.published"
    code = f"import sys, {', '.join(modules.split())}; sys.exit('tensorflow' in sys.modules or 'tf_keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
