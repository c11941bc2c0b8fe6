"""LiteRT's own profile of every kernel, and ONNX Runtime on the same model."""

import sys

import numpy as np
import pandas as pd
import pytest
from simulator_tools import left_behind, own_temp, stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.simulate import litert_profile, onnx_host, x86_host
from hwaware_utils.simulate.litert_profile import profile_operators
from hwaware_utils.simulate.summary import COLUMNS
from hwaware_utils.workload import load_workload

INT8, FP32, MIXED = (stored_model(f"memory-{precision}") for precision in ("int8_ptq", "fp32", "mixed"))


@pytest.fixture(scope="module", autouse=True)
def temp(tmp_path_factory):
    with own_temp(tmp_path_factory) as folder:
        yield folder


@pytest.fixture(scope="module")
def both():
    """One model in both runtimes: the conversion loads TensorFlow elsewhere, which takes seconds."""
    loaded = "tensorflow" in sys.modules
    run = x86_host.simulate(FP32, n_runs=5, warm_up_runs=1, variant="mine")
    assert ("tensorflow" in sys.modules) == loaded, "the conversion loaded TensorFlow into this process"
    return run


@pytest.mark.parametrize("model", [INT8, FP32, MIXED], ids=["int8", "fp32", "mixed"])
def test_profile_has_every_layer_in_order(model):
    work, profile = load_workload(model), profile_operators(model, n_runs=4, warm_up_runs=1)
    layers = profile.dropna(subset="macs")
    expected = work[work["macs"] > 0]
    assert layers["name"].tolist() == expected["name"].tolist()
    assert layers["macs"].tolist() == expected["macs"].tolist()
    depthwise = layers["operator"] == "DEPTHWISE_CONV_2D"
    assert (layers["kernel"].str.contains("DWConv") == depthwise).all()


def test_profile_names_kernels_of_the_models_own_precision():
    kernels = {model: profile_operators(model, 2, 1).dropna(subset="macs")["kernel"] for model in (INT8, FP32, MIXED)}
    assert kernels[INT8].str.contains("QC8").all()
    assert kernels[FP32].str.contains("F32").all()
    assert 0 < kernels[MIXED].str.contains("F32").sum() < len(kernels[MIXED])


def test_profile_shares_are_a_whole_and_repeat_the_same_kernels():
    first, second = (profile_operators(INT8, n_runs=10, warm_up_runs=2) for _ in range(2))
    assert first["kernel"].tolist() == second["kernel"].tolist()
    assert first["share"].sum() == pytest.approx(1)
    assert (first["latency_ms"] > 0).all()  # the shortest kernels take less than the clock's microsecond
    assert set(first["evidence"]) == {"measured"}
    timed = first[first["macs"] > 0]
    assert (timed["gmacs_per_s"] * timed["latency_ms"] * 1e6).tolist() == pytest.approx(timed["macs"].tolist())


def test_what_the_profiler_cuts_off_is_given_back(monkeypatch):
    """Durations that jitter, cut down to whole microseconds: their mean over the quieter half comes out right."""
    rng, kernels, true_us, cut_us = np.random.default_rng(0), ["Convolution", "Add (ND)", "Fully Connected"], [], []
    layers = pd.DataFrame({"operator": ["CONV_2D", "ADD", "FULLY_CONNECTED"], "name": kernels, "macs": [9, 0, 3]})

    def events(profiler, run):
        true_us.append([2.3, 0.4, 7.9] + rng.uniform(0, 3, 3) * [1, 0, 1])
        cut_us.append(np.floor(true_us[-1]))
        lost_us = litert_profile.LOST_US[litert_profile.DELEGATE]
        return [(kernel, us + lost_us) for kernel, us in zip(kernels, cut_us[-1], strict=True)]

    monkeypatch.setattr(litert_profile, "_open", lambda model, stack: (None, lambda: None))
    monkeypatch.setattr(litert_profile, "_events_of", events)
    monkeypatch.setattr(litert_profile, "load_workload", lambda model: layers)
    found = profile_operators(INT8, n_runs=4000, warm_up_runs=0)
    totals = np.sum(cut_us, axis=1)
    expected = np.array(true_us)[totals <= np.median(totals)].mean(axis=0)
    assert 1e3 * found["latency_ms"].to_numpy() == pytest.approx([expected[0], 0.5, expected[2]], abs=0.1)
    assert 1e3 * found.loc[1, ["latency_ms_low", "latency_ms_high"]].to_numpy(float) == pytest.approx([0, 1])


def test_summary_keeps_the_contract(both):
    assert list(both.summary) == COLUMNS
    assert both.summary["evidence"].tolist() == ["measured", "measured"]
    assert both.summary["simulator"].str.split().str[0].tolist() == ["LiteRT", "ONNX"]
    assert both.latency["runtime"].tolist() == both.summary["simulator"].tolist()
    assert both.latency["variant"].tolist() == ["mine", "mine"]
    ordered = both.latency[["latency_ms_low", "latency_ms", "latency_ms_high", "p99_ms"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()
    assert (ordered > 0).all()


def test_onnx_runtime_computes_the_same(both):
    litert, onnx = both.summary.iloc[0], both.summary.iloc[1]
    assert litert[["outputs_compared", "max_abs_diff"]].isna().all(), "LiteRT is not compared with itself"
    assert onnx["outputs_compared"] == 4
    assert 0 <= onnx["max_abs_diff"] < 1e-3


def test_a_conversion_that_takes_too_long_is_stopped_and_leaves_nothing(temp, both):
    with pytest.raises(UserError, match=r"tf2onnx on .* took more than 0\.1 s"):
        onnx_host.open_onnx(FP32, timeout_s=0.1)
    assert left_behind(temp) == []


def test_one_runtime_alone_gives_its_row_only():
    run = x86_host.simulate(INT8, runtimes=("litert",), n_runs=2, warm_up_runs=0)
    assert len(run.summary) == len(run.latency) == 1
    assert len(run.operators) >= 50


def test_damaged_and_unfit_input_is_told(tmp_path):
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(FP32.read_bytes()[:50_000])
    for call in (profile_operators, x86_host.simulate):
        with pytest.raises(UserError, match=r"cut\.tflite"):
            call(cut)
    with pytest.raises(UserError, match="one or both of litert, onnxruntime"):
        x86_host.simulate(INT8, runtimes=("tvm",))
    with pytest.raises(UserError, match="1 or more"):
        profile_operators(INT8, n_runs=0)
