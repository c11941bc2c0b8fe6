"""Files of two runtimes measured alike, and what may be shown without being measured."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from simulator_tools import stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.study import data, export_onnx, model_files, model_graph, onnx_exports, onnx_layout, toolchains
from hwaware_utils.study.turns import time_in_turns

FP32, INT8 = (stored_model(f"memory-{precision}") for precision in ("fp32", "int8_ptq"))


@pytest.fixture(scope="module")
def files():
    both = ((FP32, "fp32"), (INT8, "int8"))
    made = [model_files.ModelFile(path.stem, kind, "tflite", "us", path.read_bytes()) for path, kind in both]
    return [*made, model_files.ModelFile("onnx", "fp32", "onnx", "tf2onnx", export_onnx.fp32_to_onnx([FP32])[0])]


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_description_is_of_the_very_bytes(files):
    table = model_files.describe(files)
    stored = pd.read_csv(REFERENCE / "variants.csv").set_index("variant")
    assert table["file_sha256"].tolist()[:2] == stored.loc[["memory-fp32", "memory-int8_ptq"], "sha256"].tolist()
    assert table["size_bytes"].tolist()[:2] == [FP32.stat().st_size, INT8.stat().st_size]


def test_both_runtimes_are_measured_alike(files, digits):
    images = digits.x_test[:30]
    expected = model_files.predict(files[0], images)
    table = model_files.measure_accuracy(files, images, expected, files[0])
    assert table.loc[0, ["accuracy", "agreement"]].tolist() == [1, 1]
    assert table.loc[2, "agreement"] == 1, "FP32 in ONNX Runtime decides otherwise"
    assert (table["accuracy"] == table["agreement"]).all(), "the labels were the reference's own answers"
    assert table["accuracy"].between(table["accuracy_low"], table["accuracy_high"]).all()


def test_latencies_are_ordered_and_name_their_runtime(files):
    table = model_files.measure_latency(files, n_runs=5, warm_up_runs=1)
    assert (np.diff(table[["latency_ms_low", "latency_ms", "latency_ms_high", "p99_ms"]].to_numpy(), axis=1) >= 0).all()
    assert table["runtime"].str.split().str[0].tolist() == ["LiteRT", "LiteRT", "ONNX"]


def test_turns_are_taken_one_after_the_other():
    calls = []
    table = time_in_turns({name: lambda name=name: calls.append(name) for name in "ab"}, n_runs=3, warm_up_runs=2)
    assert "".join(calls) == "ab" * 5
    assert table["variant"].tolist() == ["a", "b"]


def test_layout_row_counts_what_the_graph_holds(files):
    nchw = onnx_layout.with_channels_first(files[2])
    timing = model_files.measure_latency([files[2], nchw], n_runs=3, warm_up_runs=1)
    table = onnx_layout.describe_layout([files[2], nchw], timing, n_runs=3)
    assert table["transposes"].tolist() == [2, 1]
    assert table["convolutions"].tolist() == [52, 52]
    assert table["int8_convolutions"].tolist() == [0, 0]
    assert table["layout_share"].between(0, 0.5).all()


def test_exports_are_written_whole(files, monkeypatch, tmp_path):
    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    paths = onnx_exports.write_exports(files, "smoke")
    assert paths[2].name == "onnx.onnx"
    assert [path.read_bytes() for path in paths] == [file.content for file in files]
    assert {path.parent for path in paths} == {tmp_path / "smoke" / "exports"}
    assert len(list(paths[0].parent.iterdir())) == len(files)


def test_the_winner_is_the_most_accurate_int8_file():
    rows = [("x", "fp32", 0.95), ("x", "int8_ptq", 0.90), ("x", "int8_qat", 0.91), ("x", "mixed", 0.94), ("y", "fp32", 0.9)]
    variants = pd.DataFrame(rows, columns=["architecture", "precision", "accuracy"])
    assert onnx_exports.best_int8(variants, "x")["precision"] == "int8_qat"
    with pytest.raises(UserError, match="no INT8 file of 'y'"):
        onnx_exports.best_int8(variants, "y")


def test_who_is_faster_is_counted():
    rows = [("x", "tflite", "fp32", 2.0), ("x", "tflite", "int8", 1.0), ("x", "onnx", "fp32", 1.0), ("x", "onnx", "int8", 1.5)]
    table = pd.DataFrame(rows, columns=["architecture", "file_type", "precision", "latency_ms"])
    expected = {"pairs": 2, "litert_wins": 1, "architectures": 1, "int8_litert": 1, "int8_onnx": 0}
    assert toolchains.pairs(table) == expected


def test_a_recorded_comparison_counts_for_its_own_settings_only(monkeypatch):
    p = SimpleNamespace(calibration_images=200, toolchain_images=100, seed=7)
    rows = pd.DataFrame({"calibration_images": [200], "accuracy_n": [100], "seed": [7], "evidence": ["recorded"]})
    monkeypatch.setattr(toolchains, "recorded_table", lambda *_: rows)
    source = SimpleNamespace(files={"fp32": FP32})
    assert toolchains._recorded(source, p)[0]["latency_evidence"].tolist() == ["recorded"]
    for change in ({"seed": 8}, {"toolchain_images": 101}, {"calibration_images": 1}):
        assert toolchains._recorded(source, SimpleNamespace(**{**vars(p), **change})) is None


def test_bad_input_is_told_in_one_sentence(digits):
    p = SimpleNamespace(toolchain_images=10**6, seed=7, calibration_images=1, profile="smoke", retrain=False)
    with pytest.raises(UserError, match="toolchain_images 1000000: give a number from 1 to 500"):
        toolchains._sample(digits, p)
    variants = pd.DataFrame({"architecture": ["x"], "precision": ["fp32"], "sha256": ["0"]})
    with pytest.raises(UserError, match="no int8_ptq file of 'x'"):
        toolchains._row(variants, "x", "int8_ptq")
    source = SimpleNamespace(files={"fp32": FP32}, facts={"recipe": {"architecture": "memory"}, "dataset": "d"})
    with pytest.raises(UserError, match="needs images"):
        onnx_exports.onnx_int8(source, b"", SimpleNamespace(**{**vars(p), "seed": 987}), None)


def test_a_block_is_expansion_depthwise_projection():
    table = model_graph.block_operators(INT8, "block_2")
    assert table["operator"].tolist() == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD"]
    assert set(table["dtype"]) == {"int8"}
    with pytest.raises(UserError, match="no block 'block_99'"):
        model_graph.block_operators(INT8, "block_99")
