"""Cortex-A78 under QEMU: the host's bits, the workload's MACs, two ways of counting that agree, failures in one sentence."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from simulator_tools import needs, stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.base.processes import find_tool
from hwaware_utils.platforms.specs import load_platform
from hwaware_utils.simulate.comparison import random_inputs
from hwaware_utils.simulate.cortex_a import guest, run, set_up_guest, simulate
from hwaware_utils.simulate.cortex_a.counts import llvm
from hwaware_utils.simulate.summary import COLUMNS
from hwaware_utils.study import data
from hwaware_utils.study.benchmark import open_model, quantize_input
from hwaware_utils.study.preprocessing import to_input


@pytest.fixture(scope="module")
def tools():
    """QEMU, LLVM and the guest; in CI the guest is set up here (some seconds, 45 MB), elsewhere it must be there."""
    needs(lambda: find_tool("qemu-aarch64", package="qemu-user"))
    needs(llvm, "llvm-mca")
    needs(set_up_guest if os.environ.get("CI") else guest.find_guest)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """No temporary folder and no process of ours outlives a test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not list(folder.iterdir())
    assert not [p.name() for p in psutil.Process().children(recursive=True) if "qemu" in p.name()]


def images_for(model: Path, n: int) -> np.ndarray:
    """Test images as the inputs of this model."""
    detail = open_model(model).get_input_details()[0]
    return quantize_input(to_input(data.load("digits").x_test[:n], detail["shape"][1]), detail)


@pytest.fixture(scope="module")
def int8_run(tools):
    model = stored_model("memory-int8_ptq")
    return simulate(model, images_for(model, 100))


@pytest.fixture(scope="module")
def fp32_run(tools):
    return simulate(stored_model("memory-fp32"), platform="nvidia_orin_a78ae")


def test_int8_outputs_are_the_hosts_bit_by_bit(int8_run):
    row = int8_run.summary.loc[0]
    assert (row["outputs_compared"], row["outputs_bit_exact"], row["max_abs_diff"]) == (100, 100, 0)
    assert len(np.unique(int8_run.outputs.argmax(-1))) > 1  # the images do differ


def test_fp32_outputs_are_the_hosts_but_for_rounding(fp32_run):
    assert fp32_run.summary.loc[0, "max_abs_diff"] < 1e-4 * np.abs(fp32_run.outputs).max()


@pytest.mark.parametrize("name", ["int8_run", "fp32_run"])
def test_executed_macs_are_the_workloads_with_filled_tiles(name, request):
    work = request.getfixturevalue(name).work.loc[0]
    assert work["simd_macs"] == work["filled_macs"]
    assert work["workload_macs"] <= work["simd_macs"] < 1.25 * work["workload_macs"]


@pytest.mark.parametrize("name", ["int8_run", "fp32_run"])
def test_tables_fit_together_and_stay_within_physics(name, request):
    found = request.getfixturevalue(name)
    assert list(found.summary) == COLUMNS
    for table in (found.summary, found.mix, found.kernels, found.caches, found.estimates, found.work):
        check_evidence(table, "cortex_a")
    instructions = found.summary.loc[0, "instructions"]
    assert found.mix["instructions"].sum() == found.kernels["instructions"].sum() == instructions
    assert found.kernels["share"].is_monotonic_decreasing
    assert found.kernels.loc[0, "kernel"].startswith("xnn_")
    assert found.estimates["cycles"].is_monotonic_increasing
    assert found.estimates["simd_utilization"].between(0, 1).all()
    assert found.estimates["cycles"].min() > instructions / 8  # no A78 issues more than 8 operations a cycle
    assert found.caches["misses"].is_monotonic_decreasing
    assert found.caches["hit_rate"].between(0, 1).all()
    clock_khz = 1e3 * load_platform(found.summary.loc[0, "platform"]).value("clock_mhz")
    assert np.isclose(found.summary.loc[0, "latency_ms_low"] * clock_khz, found.summary.loc[0, "cycles_low"], rtol=1e-6)


def test_a_model_that_fits_a_cache_does_not_miss_it(int8_run):
    misses = int8_run.caches.set_index("level")["misses"]  # 0.4 MB of weights: L2 has 512 KiB, L3 4 MiB
    assert misses["L3"] < 0.01 * misses["L1"]


def test_the_log_counts_what_the_plugin_counts(tools, fp32_run):
    if "(plugin)" not in fp32_run.summary.loc[0, "simulator"]:
        pytest.skip("QEMU loads no plugin here")
    logged = simulate(stored_model("memory-fp32"), platform="nvidia_orin_a78ae", counter="log")
    assert "(log)" in logged.summary.loc[0, "simulator"]
    assert logged.mix.equals(fp32_run.mix)
    assert logged.work.equals(fp32_run.work)
    assert logged.summary.loc[0, "cycles_low"] == fp32_run.summary.loc[0, "cycles_low"]
    assert logged.caches.empty
    assert logged.estimates["evidence"].tolist() == ["simulated", "simulated", "modelled"]
    assert np.array_equal(logged.outputs, fp32_run.outputs)


def test_the_clock_divides_the_cycles_and_a_run_repeats(int8_run):
    model = stored_model("memory-int8_ptq")
    once, again = int8_run.summary.loc[0], simulate(model, random_inputs(model, 1), clock_mhz=1210).summary.loc[0]
    assert again["instructions"] == pytest.approx(once["instructions"], rel=1e-5)  # whatever the image
    assert again["latency_ms_low"] == pytest.approx(2 * once["latency_ms_low"], rel=1e-4)
    with pytest.raises(UserError, match=r"clock_mhz = 2\.42: expected 100 to 10000"):
        simulate(model, clock_mhz=2.42)


def test_too_little_time_stops_the_guest(tools):
    with pytest.raises(UserError, match=r"the guest took more than 0\.3 s and was stopped"):
        simulate(stored_model("memory-int8_ptq"), timeout_s=0.3)


def test_a_damaged_model_never_reaches_the_guest(tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(stored_model("memory-int8_ptq").read_bytes()[:5000])
    with pytest.raises(UserError, match="cut off or corrupt"):
        simulate(broken)
    with pytest.raises(UserError, match="does not exist"):
        simulate(tmp_path / "none.tflite")


def fake_guest(monkeypatch, folder: Path, qemu: str) -> None:
    """A guest folder and a `qemu-aarch64` that is this shell script."""
    monkeypatch.setenv("HWAWARE_CACHE", str(folder / "cache"))
    guest.guest_dir().mkdir(parents=True)
    facts = {"python": "3.11", "versions": guest._versions(), "packages": []}
    (guest.guest_dir() / "guest.json").write_text(json.dumps(facts))
    programs = folder / "bin"
    programs.mkdir()
    (programs / "qemu-aarch64").write_text(f"#!/bin/sh\n[ $1 = --version ] && echo version 9.9.9 && exit\n{qemu}\n")
    (programs / "qemu-aarch64").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("kill -SEGV $$", r"the guest crashed \(SIGSEGV; it said nothing\)"),
        ("echo no such model >&2; exit 3", r"the guest failed with exit code 3 \(no such model\)"),
        ("sleep 60 & wait", r"the guest took more than 1 s and was stopped"),
    ],
)
def test_a_guest_that_fails_is_told_in_one_sentence(script, told, monkeypatch, tmp_path):
    fake_guest(monkeypatch, tmp_path, script)
    with pytest.raises(UserError, match=told):
        simulate(stored_model("memory-int8_ptq"), counter="log", timeout_s=1)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["sh", "-c", "echo gone >&2; kill -SEGV $$"], r"the logged guest crashed \(SIGSEGV; gone\)"),
        (["sleep", "9"], r"the logged guest took more than 0\.5 s and was stopped"),
        (["true"], "QEMU's log holds 0 of 3 marks"),
    ],
)
def test_a_logged_guest_that_fails_is_told_in_one_sentence(command, told):
    with pytest.raises(UserError, match=told):
        run._logged(command, [], {}, timeout_s=0.5)


def test_a_missing_tool_or_guest_names_the_command(monkeypatch, tmp_path):
    model = stored_model("memory-int8_ptq")
    monkeypatch.setenv("HWAWARE_CACHE", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="guest is not set up on this machine: run `make simulators`"):
        simulate(model)
    fake_guest(monkeypatch, tmp_path, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"'qemu-aarch64' is missing: run `make simulators` \(Debian package qemu-user\)"):
        simulate(model)
    (guest.guest_dir() / "guest.json").write_text(json.dumps({"versions": {}}))
    with pytest.raises(UserError, match="other versions of LiteRT or NumPy"):
        simulate(model)


def test_unknown_names_are_refused(monkeypatch, tmp_path):
    fake_guest(monkeypatch, tmp_path, "exit 1")
    with pytest.raises(UserError, match="did you mean 'arm_cortex_a78'"):
        simulate(stored_model("memory-int8_ptq"), platform="arm_cortex_a87")
    with pytest.raises(UserError, match="counter 'fast': expected auto, plugin or log"):
        simulate(stored_model("memory-int8_ptq"), counter="fast")


def test_a_set_up_that_fails_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("HWAWARE_CACHE", str(tmp_path / "cache"))

    def fail(command, what, *_, **__):
        raise UserError(f"{what} failed")

    monkeypatch.setattr(guest, "run", fail)
    monkeypatch.setattr(guest, "find_tool", lambda *_, **__: "")
    with pytest.raises(UserError, match="apt-config failed"):
        set_up_guest(say=lambda _: None)
    assert not list((tmp_path / "cache" / "cortex_a").iterdir())
