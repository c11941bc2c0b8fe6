"""Energy: power from published energies, its validation, and the breakdown into compute, memory and static."""

import copy
import math

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms.energy import active_power_w, estimate_energy
from hwaware_utils.platforms.energy_breakdown import compute_mj, energy_breakdown, memory_mj
from hwaware_utils.platforms.energy_constants import PATH, load_energy_constants, parse_constants
from hwaware_utils.platforms.energy_validation import energy_validation, summarise_energy_validation
from hwaware_utils.platforms.mobilenet import mobilenet_workload
from hwaware_utils.platforms.power import (
    active_power,
    borrow_power,
    load_published_power,
    microcontroller_rows,
    runtime_version,
    spread_factor,
    submission_powers,
)
from hwaware_utils.platforms.specs import list_platforms, load_platform
from hwaware_utils.platforms.student import student_factor

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

V2 = mobilenet_workload("mobilenet_v2", 0.35, 96, 10, "int8")


@pytest.mark.parametrize("factor", [1000, 1 / 1000])
def test_a_slip_of_a_thousand_in_a_cost_is_refused(factor):
    original = yaml.safe_load(PATH.read_text())
    for kind, constants in original["classes"].items():
        for name in constants:
            slipped = copy.deepcopy(original)
            slipped["classes"][kind][name]["value"] *= factor
            with pytest.raises(UserError, match=name):
                parse_constants(slipped, "slipped.yaml")


def test_a_cost_without_source_is_refused():
    bare = yaml.safe_load(PATH.read_text())
    del bare["classes"]["npu"]["mac_int8_pj"]["source"]
    with pytest.raises(UserError, match="mac_int8_pj has no source"):
        parse_constants(bare, "bare.yaml")


def test_validation_reaches_the_target():
    table = energy_validation()
    check_evidence(table, "energy validation")
    summary = summarise_energy_validation(table).set_index("split")
    assert summary.loc["same submission", "mean_abs_error"] <= 0.02
    assert summary.loc["across submissions", "mean_abs_error"] <= 0.12
    assert 0.85 <= table["covered"].mean() <= 0.97
    assert 0.85 <= summary.loc["leave one alpha out", "coverage"] <= 0.97


def test_no_held_out_energy_takes_part_in_its_own_prediction(monkeypatch):
    original = energy_validation()
    rows = load_published_power()
    first = rows.index[rows["source"] == "MLPerf Tiny v1.2"][0]
    rows.loc[first, ["energy_uj", "power_w"]] *= 1.5
    monkeypatch.setattr("hwaware_utils.platforms.power._energy_rows", lambda: rows)
    changed = energy_validation()
    moved = original["published_mj"] != changed["published_mj"]
    assert moved.sum() == 2  # once in each of its two splits
    assert (original.loc[moved, "predicted_mj"] == changed.loc[moved, "predicted_mj"]).all()


def test_power_of_one_submission_by_hand():
    power = active_power(load_platform("stm32h7a3_cubeai9"))
    ic, vww = 5090.283 / 40.845, 2965.461 / 23.804  # uJ / ms = mW
    assert power.value == pytest.approx(math.sqrt(ic * vww) / 1e3)
    assert power.low < min(ic, vww) / 1e3 and max(ic, vww) / 1e3 < power.high
    assert "2 published" in power.basis


def test_spread_factor_by_hand():
    # Two submissions, each 10 % apart: s^2 = 2 * 2 * (ln(1.1) / 2)^2 / 2; Student's t, 2 degrees of freedom, 95 %: 2.919986
    rows = pd.DataFrame({"submission": ["a", "a", "b", "b"], "power_w": [1.0, 1.1, 2.0, 2.2]})
    spread = math.log(1.1) / math.sqrt(2)
    assert spread_factor(rows, 2) == pytest.approx(math.exp(2.919986 * spread * math.sqrt(1.5)), rel=1e-5)
    with pytest.raises(ValueError, match="two rows"):
        spread_factor(rows.iloc[[0, 2]], 1)


def test_student_factor_is_that_of_scipy():
    special = pytest.importorskip("scipy.special")
    for freedom in (*range(1, 31), 200):
        for coverage in (0.5, 0.9, 0.99):
            assert student_factor(freedom, coverage) == pytest.approx(special.stdtrit(freedom, (1 + coverage) / 2), rel=1e-7)


def test_borrowed_power_says_so_scales_with_the_clock_and_is_wider():
    own = active_power(load_platform("stm32h7a3_cubeai9"))
    borrowed = active_power(load_platform("arm_cortex_m7"))
    assert borrowed.value == pytest.approx(own.value * 400 / 280)  # Cube.AI 9 is the nearest version to 10
    assert "borrowed" in borrowed.basis and "borrowed" not in own.basis
    assert borrowed.high / borrowed.low > 1.5 * own.high / own.low
    faster = load_platform("arm_cortex_m7").with_clock(480)
    assert active_power(faster).value == pytest.approx(borrowed.value * 480 / 400)


def test_a_submission_of_an_unknown_runtime_is_borrowed_from_all():
    powers = submission_powers(microcontroller_rows())
    assert borrow_power(powers, None)[1] == len(powers)
    assert borrow_power(powers, 7.0)[1] == 2 and borrow_power(powers, 10.0)[1] == 1
    other = pd.concat([powers, powers.iloc[[0]].assign(submission="other", version=float("nan"))], ignore_index=True)
    assert borrow_power(other, 10.0) == borrow_power(powers, 10.0)
    assert borrow_power(other, float("nan"))[1] == len(other)
    assert runtime_version("Plumerai Inference Engine 2023.05") is None


def test_the_orin_board_power_is_what_the_published_rows_say():
    rows = load_published_power()
    watts = rows[rows["device"] == "Jetson AGX Orin"].groupby("precision")["power_w"]
    spec = load_platform("nvidia_orin_a78ae")
    for constant, precision in (("power_one_thread_w", "fp32"), ("power_all_cores_w", "uint8")):
        assert spec.value(constant) == pytest.approx(watts.get_group(precision).median(), rel=0.01)
        inside = watts.get_group(precision).between(spec.constants[constant].low, spec.constants[constant].high)
        assert inside.mean() > 0.9


def test_breakdown_by_hand():
    spec = load_platform("arm_cortex_m7")
    macs, traffic = int(V2["macs"].sum()), int((V2["weight_bytes"] + V2["activation_bytes"]).sum())
    costs = {name: q.value for name, q in load_energy_constants("microcontroller").items()}
    per_mac = costs["mac_int8_pj"] + costs["instruction_pj"] * costs["instructions_per_mac_int8"]
    assert compute_mj(V2, spec, "int8_ptq")["value"] == pytest.approx(macs * per_mac * 1e-9)
    per_byte = costs["near_pj_per_byte"] + costs["far_pj_per_byte"]
    assert memory_mj(V2, spec)["value"] == pytest.approx(traffic * per_byte * 1e-9)


@settings(max_examples=40)
@given(
    st.sampled_from(list_platforms()),
    st.sampled_from([0.35, 1.0, 1.4]),
    st.sampled_from([96, 224]),
    st.floats(0.1, 1000),
)
def test_the_parts_sum_to_the_energy_of_the_inference(platform, alpha, resolution, latency_ms):
    workload = mobilenet_workload("mobilenet_v2", alpha, resolution, 10, "int8")
    table = energy_breakdown(workload, platform, "int8", latency_ms)
    check_evidence(table, "breakdown")
    assert table["part"].tolist() == ["compute", "memory", "static"]
    assert (table["energy_mj_low"] >= 0).all()
    assert (table["energy_mj_low"] <= table["energy_mj"]).all() and (table["energy_mj"] <= table["energy_mj_high"]).all()
    if load_platform(platform).kind != "npu":
        whole = active_power_w(load_platform(platform))[0] * latency_ms
        assert table["energy_mj"].sum() == pytest.approx(whole)


@pytest.mark.parametrize("platform", [p for p in list_platforms() if p.startswith("ethos")])
def test_an_npu_at_its_roofline_stays_within_the_range_of_its_power(platform):
    spec = load_platform(platform)
    seconds = V2["macs"].sum() / (spec.value("macs_per_cycle_int8") * spec.value("clock_mhz") * 1e6)
    seconds += (V2["weight_bytes"].sum()) / (spec.value("memory_bandwidth_gb_s") * 1e9)
    seconds += (V2["activation_bytes"] + V2["weight_bytes"]).sum() / (
        spec.value("cache_bandwidth_bytes_per_cycle") * spec.value("clock_mhz") * 1e6
    )
    _, low, high = active_power_w(spec)
    table = energy_breakdown(V2, platform, "int8", seconds * 1e3)
    assert low * seconds * 1e3 <= table["energy_mj"].sum() <= high * seconds * 1e3


def test_priced_operations_stay_below_every_published_energy():
    """The wall meter bounds the model: no published inference took less than its priced operations at their low end."""
    rows = load_published_power()
    for row in rows[rows["family"].isin(["mobilenet_v1", "mobilenet_v2"])].itertuples():
        precision = "fp32" if row.precision == "fp32" else "int8"
        spec = load_platform("stm32h7a3_cubeai9" if row.core == "Cortex-M7" else "nvidia_orin_a78ae")
        workload = mobilenet_workload(row.family, row.alpha, row.resolution, row.classes, precision, row.channels)
        priced = compute_mj(workload, spec, precision)["value"] + memory_mj(workload, spec)["value"]
        assert priced < row.energy_uj / 1e3


def test_float_operations_cost_more_than_integer_ones():
    floats = mobilenet_workload("mobilenet_v2", 0.35, 96, 10, "fp32")
    phone = load_platform("arm_cortex_a78")
    assert compute_mj(floats, phone, "fp32")["value"] > compute_mj(V2, phone, "int8")["value"]
    # Biases take four bytes in both.
    assert memory_mj(floats, phone)["value"] == pytest.approx(4 * memory_mj(V2, phone)["value"], rel=0.03)


def test_bad_input_is_told():
    with pytest.raises(UserError, match="dynamic"):
        energy_breakdown(V2, "ethos_u55_128", "dynamic", 1.0)
    for latency in (0, -1.0, float("nan")):
        with pytest.raises(UserError, match="above 0"):
            energy_breakdown(V2, "arm_cortex_m7", "int8", latency)


def test_energy_keeps_the_basis_of_the_latency_beside_its_own():
    row = {"platform": "arm_cortex_m7", "threads": 1, "latency_ms": 100.0, "basis": "fitted", "evidence": "measured"}
    table = estimate_energy(pd.DataFrame([row]))
    assert table["latency_basis"].item() == "fitted" and "borrowed" in table["energy_basis"].item()
    assert table["latency_ms_evidence"].item() == "measured" and table["evidence"].item() == "modelled"
    assert table["energy_mj"].item() == pytest.approx(100 * active_power_w(load_platform("arm_cortex_m7"))[0])
