"""Throughput, memory and file sizes: right units, sane bounds, and arithmetic that the written files confirm."""

import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms.memory import arena_bytes
from hwaware_utils.study import checkpoint_size, quantization, throughput
from hwaware_utils.workload import load_tensors, load_workload, summary


@pytest.fixture(scope="module")
def keras_model():
    from hwaware_utils.study.models import mobilenet_v2

    return mobilenet_v2(0.35, 64, 10)


@pytest.fixture(scope="module")
def fp32(keras_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(keras_model))
    return path


@pytest.fixture(scope="module")
def int8(fp32):
    path = fp32.with_name("tiny.int8.tflite")
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    path.write_bytes(quantization.quantize(fp32, "int8_ptq", noise))
    return path


@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_a_rate_is_images_over_time_for_float_and_int8(kind, request):
    table = throughput.measure_throughput(request.getfixturevalue(kind), batches=(1, 3, 16), n_runs=12)
    assert table["batch"].tolist() == [1, 3, 16]
    assert np.allclose(table["images_per_s"] * table["latency_ms"], 1e3 * table["batch"])
    for name in ("latency_ms", "images_per_s"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    assert (table["latency_ms"] > 0).all()
    assert set(table["evidence"]) == {"measured"}
    assert table["runtime"].str.startswith("LiteRT").all()


def test_a_batch_must_be_a_batch(fp32):
    with pytest.raises(UserError, match=r"batches \(0, 1\)"):
        throughput.measure_throughput(fp32, batches=(0, 1))
    with pytest.raises(UserError, match="batch 0"):
        throughput.measure_inference_memory(fp32, batch=0)


def test_memory_holds_at_least_the_weights_and_grows_with_the_batch(fp32):
    one, many = (throughput.measure_inference_memory(fp32, batch, repeats=1) for batch in (1, 32))
    totals = summary(load_workload(fp32))
    assert one["peak_mib"] * 2**20 > totals["weight_bytes"]
    assert one["peak_mib"] < one["process_mib"]
    # each image more takes one planned arena more, and its place in the caller's input
    expected = 31 * (arena_bytes(load_tensors(fp32)) + 4 * 64 * 64 * 3)
    assert (many["peak_mib"] - one["peak_mib"]) * 2**20 == pytest.approx(expected, rel=0.2)
    assert one["size_bytes"] == fp32.stat().st_size
    check_evidence(pd.DataFrame([one, many]), "memory")


def test_int8_takes_less_memory_than_float(fp32, int8):
    float_peak, int8_peak = (throughput.measure_inference_memory(path, 32, repeats=1)["peak_mib"] for path in (fp32, int8))
    assert int8_peak < 0.6 * float_peak


def test_what_is_no_model_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "none.tflite"
    path.write_bytes(b"not a model at all")
    with pytest.raises(UserError, match=r"is no \.tflite file"):
        throughput.measure_inference_memory(path)


def test_a_checkpoint_is_its_weights_and_two_moments(keras_model, fp32):
    before = [weight.copy() for weight in keras_model.get_weights()]
    table = checkpoint_size.measure_sizes(keras_model, fp32).set_index("what")
    size = table["size_bytes"]
    assert size["weights, unfolded"] == 4 * keras_model.count_params()
    assert size["weights + moments"] == size["weights, unfolded"] + size["two AdamW moments"]
    for name, parts in (("checkpoint .h5", "weights + moments"), ("weights .h5", "weights, unfolded")):
        # the graph and HDF5's own tables are on top: about half a megabyte, whatever the width
        assert size[parts] < size[name] < size[parts] + 1.5e6
    assert size["weights + moments"] < size["checkpoint .keras"] < size["weights + moments"] + 1.5e6
    assert size["weights, folded"] < size["weights, unfolded"]
    assert size["weights, folded"] < size[".tflite fp32"] == fp32.stat().st_size
    assert size[".tflite int8"] < size[".tflite fp16"] < size[".tflite fp32"]
    assert table.loc[".tflite fp32", "tflite_ratio"] == 1
    assert set(table["kind"]) == set(checkpoint_size.KINDS)
    assert (table.loc[table["kind"] == "arithmetic", "evidence"] == "modelled").all()
    assert (table.loc[table["kind"] != "arithmetic", "evidence"] == "measured").all()
    # weighing a model neither trains nor compiles it
    assert all((old == new).all() for old, new in zip(before, keras_model.get_weights(), strict=True))
    assert getattr(keras_model, "optimizer", None) is None


def test_the_int8_size_hardly_depends_on_what_it_was_calibrated_with(fp32, int8, keras_model):
    table = checkpoint_size.measure_sizes(keras_model, fp32).set_index("what")
    images = np.full((3, 32, 32, 3), 200, np.uint8)
    for size in (len(quantization.quantize(fp32, "int8_ptq", images)), int8.stat().st_size):
        assert size == pytest.approx(table.loc[".tflite int8", "size_bytes"], rel=1e-3)
