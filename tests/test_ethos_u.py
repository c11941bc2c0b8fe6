"""Vela's estimate: its totals are the sum of its parts, within physical bounds, and no float model gets that far."""

from importlib import metadata

import pytest
from simulator_tools import left_behind, needs, own_temp, stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.platforms.specs import load_platform
from hwaware_utils.simulate import ethos_u, extras
from hwaware_utils.simulate.summary import COLUMNS
from hwaware_utils.workload import load_workload

INT8 = stored_model("memory-int8_ptq")


@pytest.fixture(scope="module", autouse=True)
def temp(tmp_path_factory):
    with own_temp(tmp_path_factory) as folder:
        yield folder


@pytest.fixture(scope="module")
def runs() -> dict[str, ethos_u.EthosURun]:
    """The smallest INT8 model on every NPU."""
    needs(extras.require_packages, ethos_u.PACKAGE)
    return {platform: ethos_u.simulate(INT8, platform) for platform in ethos_u.CONFIGURATIONS}


def test_summary_keeps_the_contract_and_says_estimate(runs):
    for platform, run in runs.items():
        row = run.summary.iloc[0]
        assert list(run.summary) == COLUMNS
        assert (row["platform"], row["evidence"]) == (platform, "modelled")
        assert "estimate" in row["simulator"]
        assert row[["instructions", "outputs_compared", "outputs_bit_exact"]].isna().all()


def test_operators_add_up_to_the_total(runs):
    for run in runs.values():
        assert run.operators["cycles"].sum() == run.summary.loc[0, "cycles_low"] == run.summary.loc[0, "cycles_high"]
        assert run.operators["macs"].sum() == run.totals.loc[0, "macs"]
        limits = run.operators[["npu_cycles", "sram_cycles", "dram_cycles", "flash_cycles"]].max(axis=1)
        assert (run.operators["cycles"] >= limits).all()


def test_every_operator_of_the_model_is_placed(runs):
    work = load_workload(INT8)
    pooling = int(work.loc[work["operator"] == "MEAN", "input_bytes"].sum())  # on the NPU a mean is a depthwise convolution
    for run in runs.values():
        assert set(work["name"]) <= set(run.operators["name"])
        assert run.totals.loc[0, "macs"] == work["macs"].sum() + pooling
        assert (run.operators["target"] == "NPU").all()
        assert run.totals.loc[0, ["npu_operators", "cpu_operators"]].tolist() == [len(run.operators), 0]


def test_latency_is_cycles_at_the_platforms_own_clock(runs):
    for platform, run in runs.items():
        clock_mhz = load_platform(platform).value("clock_mhz")
        assert run.totals.loc[0, "clock_mhz"] == clock_mhz
        assert run.summary.loc[0, "latency_ms_low"] == pytest.approx(run.summary.loc[0, "cycles_low"] / (1e3 * clock_mhz))


def test_physical_bounds_hold(runs):
    largest = load_workload(INT8)["activation_bytes"].max() / 1024
    for platform, run in runs.items():
        totals = run.totals.iloc[0]
        assert run.operators["utilization"].between(0, 1).all()
        assert 0 < totals["utilization"] <= 1
        assert largest * 0.5 <= totals["sram_kib"] <= load_platform(platform).value("ram_kib")
    assert runs["ethos_u55_256"].summary.loc[0, "cycles_low"] <= runs["ethos_u55_128"].summary.loc[0, "cycles_low"]


def test_the_platforms_name_the_installed_version(runs):
    for platform in runs:
        assert (
            load_platform(platform).runtime_version
            == metadata.version(ethos_u.PACKAGE)
            == extras.pinned_version(ethos_u.PACKAGE)
        )


def test_partly_float_model_leaves_work_to_the_cpu_and_gets_no_latency(runs):
    run = ethos_u.simulate(stored_model("latency-mixed"))
    assert run.totals.loc[0, "cpu_operators"] == (run.operators["target"] == "CPU").sum() > 0
    assert run.summary[["cycles_low", "cycles_high", "latency_ms_low", "latency_ms_high"]].isna().all(axis=None)
    assert run.totals.loc[0, "npu_cycles"] > 0


def test_float_models_and_unknown_platforms_are_told_at_the_door():
    with pytest.raises(UserError, match=r"no INT8 layer \(found: float32\)"):
        ethos_u.simulate(stored_model("memory-fp32"))
    with pytest.raises(UserError, match="did you mean 'ethos_u55_128'"):
        ethos_u.simulate(INT8, "ethos_u55_12")


def test_damaged_and_missing_files_are_told(tmp_path):
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(INT8.read_bytes()[:40_000])
    with pytest.raises(UserError, match=r"cut\.tflite"):
        ethos_u.simulate(cut)
    with pytest.raises(UserError, match="does not exist"):
        ethos_u.simulate(tmp_path / "none.tflite")


def test_missing_tool_names_the_one_command(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(UserError, match="run `make simulators`"):
        ethos_u.simulate(INT8)


def test_a_time_out_leaves_nothing_behind(temp, runs):
    with pytest.raises(UserError, match=r"took more than 0\.05 s"):
        ethos_u.simulate(INT8, timeout_s=0.05)
    assert left_behind(temp) == []
