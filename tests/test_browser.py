"""LiteRT.js in headless Chromium: what it computes, what it asks of WebGPU, and that nothing stays behind."""

import os

import numpy as np
import pytest
from simulator_tools import left_behind, needs, own_temp, stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.simulate import browser
from hwaware_utils.simulate.browser import litertjs, page
from hwaware_utils.simulate.comparison import random_inputs
from hwaware_utils.simulate.summary import COLUMNS
from hwaware_utils.workload import load_workload

INT8, FP32 = stored_model("memory-int8_ptq"), stored_model("memory-fp32")


@pytest.fixture(scope="module", autouse=True)
def temp(tmp_path_factory):
    with own_temp(tmp_path_factory) as folder:
        yield folder


@pytest.fixture(scope="module")
def ready():
    needs(litertjs.find_chromium)
    needs(litertjs.find_litertjs)


@pytest.fixture(scope="module")
def wasm(ready):
    return browser.simulate(INT8, random_inputs(INT8, 20, seed=3), accelerators=("wasm",), n_runs=20, variant="mine")


@pytest.fixture(scope="module")
def webgpu(ready):
    """INT8 and FP32 of one network on two inputs: a software adapter takes its time."""
    gpu = {"accelerators": ("webgpu",), "timeout_s": 120}
    return {model: browser.simulate(model, random_inputs(model, 2, seed=3), **gpu) for model in (INT8, FP32)}


def test_webassembly_int8_is_bit_identical_to_this_host(wasm):
    row = wasm.summary.iloc[0]
    assert (row["outputs_compared"], row["outputs_bit_exact"], row["max_abs_diff"]) == (20, 20, 0)
    assert len(np.unique(wasm.outputs["wasm"], axis=0)) > 1, "equal outputs for all inputs: nothing was compared"


def test_webgpu_comes_close_and_says_by_how_much(webgpu, wasm):
    assert 0 < webgpu[INT8].summary.loc[0, "max_abs_diff"] <= 8  # of 256 steps
    assert webgpu[FP32].summary.loc[0, "max_abs_diff"] < 1e-3
    assert (webgpu[INT8].outputs["webgpu"].argmax(1) == wasm.outputs["wasm"][:2].argmax(1)).all()


def test_summary_keeps_the_contract_and_claims_no_webgpu_speed(wasm, webgpu):
    gpu = webgpu[INT8]
    assert list(wasm.summary) == list(gpu.summary) == COLUMNS
    assert (wasm.summary.loc[0, "evidence"], gpu.summary.loc[0, "evidence"]) == ("measured", "simulated")
    assert gpu.summary[["latency_ms_low", "latency_ms_high"]].isna().all(axis=None)
    assert gpu.latency.empty
    assert not [name for name in gpu.webgpu if "ms" in name.split("_")]


def test_latency_of_webassembly_is_a_distribution_of_runs(wasm):
    row = wasm.latency.iloc[0]
    assert 0 < row["latency_ms_low"] <= row["latency_ms"] <= row["latency_ms_high"] <= row["p99_ms"]
    assert (row["variant"], row["n_runs"], row["threads"], row["evidence"]) == ("mine", 20, 1, "measured")


def test_webgpu_runs_every_operator_and_uploads_int8_weights_as_float(webgpu):
    for model, run in webgpu.items():
        row, work = run.webgpu.iloc[0], load_workload(model)
        assert row["variant"] == model.stem
        assert row["fully_accelerated"]
        assert work["macs"].gt(0).sum() <= row["dispatches"] <= row["operators"] == len(work)
        assert row["uploaded_bytes"] >= 4 * work["weights"].sum()


def test_nothing_is_left_behind(temp, wasm, webgpu):
    assert left_behind(temp) == []


def test_no_adapter_is_told_in_a_sentence(temp, ready, monkeypatch):
    monkeypatch.setattr(page, "WEBGPU_FLAGS", ["--disable-features=WebGPU", "--disable-gpu", "--disable-software-rasterizer"])
    with pytest.raises(UserError, match="no WebGPU adapter"):
        browser.simulate(INT8, accelerators=("webgpu",))
    assert left_behind(temp) == []


def test_a_time_out_stops_the_browser(temp, ready):
    with pytest.raises(UserError, match="no answer in 2 s"):
        browser.simulate(INT8, accelerators=("wasm",), n_runs=1_000_000, timeout_s=2)
    assert left_behind(temp) == []


def test_a_browser_that_dies_is_told(temp, ready, tmp_path, monkeypatch):
    dying = tmp_path / "chromium"
    dying.write_text("#!/bin/sh\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(UserError, match="exit code 3"):
        browser.simulate(INT8, accelerators=("wasm",), timeout_s=20)
    assert left_behind(temp) == []


def test_missing_tools_name_the_one_command(tmp_path, monkeypatch):
    monkeypatch.setenv("HWAWARE_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="make simulators"):
        litertjs.find_litertjs()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="'chromium' is missing: run `make simulators`"):
        browser.simulate(INT8)


def test_set_up_that_fails_leaves_no_half_made_folder(tmp_path, monkeypatch):
    for name, script in {"chromium": "exit 0", "npm": "echo no network >&2; exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HWAWARE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="no network"):
        browser.set_up_browser(say=lambda _: None)
    assert list((tmp_path / "cache").rglob("*")) == [tmp_path / "cache" / "browser"]


def test_damaged_and_unfit_input_is_told_before_anything_starts(tmp_path):
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(INT8.read_bytes()[:50_000])
    with pytest.raises(UserError, match=r"cut\.tflite"):
        browser.simulate(cut)
    with pytest.raises(UserError, match="does not exist"):
        browser.simulate(tmp_path / "none.tflite")
    with pytest.raises(UserError, match="type int8"):
        browser.simulate(INT8, np.zeros((1, 96, 96, 3), np.float32))
    with pytest.raises(UserError, match="wasm, webgpu"):
        browser.simulate(INT8, accelerators=("webnn",))


def test_the_server_hands_out_nothing_else(tmp_path):
    (tmp_path / "secret.txt").write_text("x")
    assert page._read("/npm/../secret.txt", tmp_path / "modules") is None
    assert page._read("/../__init__.py", tmp_path) is None
    assert page._read("/runner.html", tmp_path)
