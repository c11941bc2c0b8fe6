"""Platform constants, published rows, roofline, latency and energy."""

import copy
from typing import get_args

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.base.schema_types import Precision
from hwaware_utils.platforms import specs
from hwaware_utils.platforms.energy import active_power_w, estimate_energy
from hwaware_utils.platforms.latency import estimate_latencies, estimate_latency
from hwaware_utils.platforms.mobilenet import mobilenet_parameters, mobilenet_workload
from hwaware_utils.platforms.published import load_published, load_published_latency
from hwaware_utils.platforms.roofline import bound_ms, peak_gmacs_s, ridge_macs_per_byte, roofline, roofs
from hwaware_utils.platforms.specs import ARITHMETIC, BOUNDS, FOLDER, NPU_BOUNDS, list_platforms, load_platform, parse_platform

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

PLATFORMS = ["apple_m1", "arm_cortex_a78", "arm_cortex_m7", "nvidia_orin_a78ae", "x86_host"]
V2 = mobilenet_workload("mobilenet_v2", 1.0, 224, 1000, "fp32")


def content(platform: str) -> dict:
    return yaml.safe_load((FOLDER / f"{platform}.yaml").read_text())


def networks():
    return st.builds(
        mobilenet_workload,
        st.sampled_from(["mobilenet_v1", "mobilenet_v2"]),
        st.sampled_from([0.25, 0.35, 0.5, 0.75, 1.0, 1.4]),
        st.sampled_from([32, 96, 128, 224]),
        st.sampled_from([2, 10, 1000]),
        st.just("int8"),
    )


def test_every_platform_loads_with_certificates():
    assert set(PLATFORMS) <= set(list_platforms())
    for platform in list_platforms():
        frame = load_platform(platform).to_frame()
        check_evidence(frame, platform)
        assert (frame["low"] <= frame["value"]).all() and (frame["value"] <= frame["high"]).all()
        assert frame["source"].str.len().min() > 5


def test_unknown_platform_is_told_the_nearest():
    with pytest.raises(UserError, match="arm_cortex_m7"):
        load_platform("arm_cortex_m4")


def test_a_copied_file_that_keeps_the_old_id_is_refused(tmp_path, monkeypatch):
    (tmp_path / "arm_cortex_a99.yaml").write_text((FOLDER / "arm_cortex_a78.yaml").read_text())
    monkeypatch.setattr(specs, "FOLDER", tmp_path)
    with pytest.raises(UserError, match="write `id: arm_cortex_a99`"):
        load_platform("arm_cortex_a99")


@pytest.mark.parametrize("platform", list_platforms())
@pytest.mark.parametrize("factor", [1000, 1 / 1000])
def test_a_slip_of_a_thousand_is_refused(platform, factor):
    original = content(platform)
    for name in original["constants"]:
        slipped = copy.deepcopy(original)
        slipped["constants"][name]["value"] *= factor
        with pytest.raises(UserError, match=name):
            parse_platform(slipped, "slipped.yaml")
    assert set(original["constants"]) <= set(BOUNDS)


def test_a_slip_of_a_thousand_leaves_every_range():
    ranges = [given for _, *both in BOUNDS.values() for given in both] + list(NPU_BOUNDS.values())
    assert [(low, high) for low, high in ranges if high >= 1000 * low] == []


@pytest.mark.parametrize("part", ["value", "unit", "source", "date", "uncertainty", "evidence"])
def test_a_constant_without_certificate_is_refused(part):
    bare = content("arm_cortex_m7")
    del bare["constants"]["clock_mhz"][part]
    with pytest.raises(UserError, match=part):
        parse_platform(bare, "bare.yaml")


def test_an_npu_has_no_float_pipes_and_an_unknown_class_is_refused():
    npu = load_platform("ethos_u55_128")
    assert npu.runs("int8_ptq") and not npu.runs("fp32")
    assert roofs([npu])["precision"].tolist() == ["int8"]
    assert peak_gmacs_s(npu, "int8") == 128 * 500e6 / 1e9
    for key, value, pattern in (("class", "microcontroler", "microcontroller"), ("precisions", ["int9"], "int9")):
        with pytest.raises(UserError, match=pattern):
            parse_platform(content("ethos_u55_128") | {key: value}, "wrong.yaml")


def test_wrong_unit_evidence_and_name_are_refused():
    for change, pattern in (({"unit": "GHz"}, "MHz"), ({"evidence": "guessed"}, "guessed"), ({"date": "soon"}, "soon")):
        wrong = content("arm_cortex_m7")
        wrong["constants"]["clock_mhz"] |= change
        with pytest.raises(UserError, match=pattern):
            parse_platform(wrong, "wrong.yaml")
    wrong["constants"]["clock_mzh"] = wrong["constants"].pop("clock_mhz")
    with pytest.raises(UserError, match="clock_mhz"):
        parse_platform(wrong, "wrong.yaml")


def test_each_number_format_of_the_study_has_an_arithmetic():
    assert set(get_args(Precision)) <= set(ARITHMETIC), "add it to ARITHMETIC in platforms/specs.py"


def test_microcontroller_runs_no_dynamic_range_model():
    m7 = load_platform("arm_cortex_m7")
    assert m7.runs("int8_ptq") and m7.runs("int8_qat")
    assert not m7.runs("dynamic") and not m7.runs("fp16") and not m7.runs("mixed")
    with pytest.raises(UserError, match="dynamic"):
        estimate_latency(V2, "arm_cortex_m7", "dynamic")
    with pytest.raises(UserError, match="int8_ptq"):
        m7.runs("int8_ptg")


def test_published_rows_all_carry_their_source():
    rows = load_published()
    assert len(rows) == 374
    assert rows["source_url"].str.startswith("http").all()
    check_evidence(rows, "published")
    assert len(load_published_latency("arm_cortex_m7")) == 11
    assert len(load_published_latency("arm_cortex_a78")) == 0


def test_mobilenet_formulas_hit_the_known_counts():
    assert V2["macs"].sum() == 300_774_272
    assert mobilenet_parameters("mobilenet_v2", 1.0, 1000) == {"trainable": 3_504_872, "total": 3_538_984}
    assert mobilenet_parameters("mobilenet_v1", 1.0, 1000)["total"] == 4_253_864
    assert mobilenet_workload("mobilenet_v1", 1.0, 224, 1000)["macs"].sum() == 568_740_352
    with pytest.raises(UserError, match="mobilenet_v9"):
        mobilenet_workload("mobilenet_v9", 1.0, 224, 1000)
    with pytest.raises(UserError, match="alpha"):
        mobilenet_workload("mobilenet_v2", -1.0, 224, 1000)


@pytest.mark.parametrize("platform", list_platforms())
def test_no_published_measurement_undercuts_the_roofline(platform):
    spec = load_platform(platform)
    for row in load_published_latency(platform).itertuples():
        workload = mobilenet_workload(row.family, row.alpha, row.resolution, row.classes, row.precision, row.channels)
        assert bound_ms(workload, spec.with_clock(row.freq_mhz), row.precision, row.threads) < row.latency_ms


def test_roofline_of_one_operator_by_hand():
    m7 = load_platform("arm_cortex_m7")
    line = roofline(mobilenet_workload("mobilenet_v2", 0.35, 96, 10, "int8"), m7, "int8").iloc[0]
    assert line["compute_ms"] == pytest.approx(995_328 / (2 * 400e6) * 1e3)
    traffic = 96 * 96 * 3 + 48 * 48 * 16 + 16 * 27 + 16 * 4
    assert line["memory_ms"] == pytest.approx(traffic / (8 * 400e6) * 1e3)
    assert line["bound_ms"] == line["compute_ms"] and line["limit"] == "compute"
    assert ridge_macs_per_byte(m7, "int8") == pytest.approx(peak_gmacs_s(m7, "int8") / 1.6)
    check_evidence(roofs([m7]), "roofs")


@given(networks(), st.sampled_from(PLATFORMS), st.sampled_from(["fp32", "int8_ptq", "int8_qat"]))
def test_no_estimate_is_below_the_roofline(workload, platform, precision):
    row = estimate_latency(workload, platform, precision)
    assert row["bound_ms"] <= row["latency_ms_low"] <= row["latency_ms"] <= row["latency_ms_high"]
    assert row["throughput_gmacs_s"] <= peak_gmacs_s(load_platform(platform), row["precision"])


@given(networks(), st.sampled_from(PLATFORMS), st.floats(1.01, 3.0))
def test_a_faster_clock_is_never_slower(workload, platform, factor):
    spec = load_platform(platform)
    faster = spec.with_clock(spec.value("clock_mhz") * factor)
    assert bound_ms(workload, faster, "int8") <= bound_ms(workload, spec, "int8")
    assert estimate_latency(workload, faster, "int8")["latency_ms"] <= estimate_latency(workload, spec, "int8")["latency_ms"]


def test_threads_beyond_the_cores_are_refused():
    with pytest.raises(UserError, match="threads"):
        estimate_latency(V2, "arm_cortex_m7", "int8", threads=2)
    with pytest.raises(UserError, match="threads"):
        estimate_latency(V2, "apple_m1", "int8", threads=0)
    assert bound_ms(V2, load_platform("apple_m1"), "fp32", 4) < bound_ms(V2, load_platform("apple_m1"), "fp32", 1)


def test_latency_and_energy_tables_are_whole():
    variants = pd.DataFrame({"variant": ["a", "b"], "precision": ["int8_ptq", "dynamic"]})
    table = estimate_latencies(variants, {"a": V2, "b": V2}, PLATFORMS)
    assert len(table) == 10
    missing = table[table["latency_ms"].isna()]
    assert missing[["variant", "platform"]].to_numpy().tolist() == [["b", "arm_cortex_m7"]]
    assert "dynamic" in missing["basis"].item()
    energy = estimate_energy(table)
    check_evidence(energy, "energy")
    known = energy.dropna(subset=["latency_ms"])
    assert (known["energy_mj_low"] <= known["energy_mj"]).all() and (known["energy_mj"] <= known["energy_mj_high"]).all()
    assert known["energy_mj"].to_numpy() == pytest.approx((known["power_w"] * known["latency_ms"]).to_numpy())
    m7 = energy[(energy["platform"] == "arm_cortex_m7") & (energy["variant"] == "a")].iloc[0]
    power_w, low_w, high_w = active_power_w(load_platform("arm_cortex_m7"))
    assert m7["power_w"] == power_w
    assert m7["energy_mj_high"] == pytest.approx(m7["latency_ms_high"] * high_w)
    assert m7["energy_mj_low"] == pytest.approx(m7["latency_ms_low"] * low_w)
    with pytest.raises(UserError, match="'b'"):
        estimate_latencies(variants, {"a": V2}, PLATFORMS)


def test_more_threads_take_more_power():
    for platform in PLATFORMS:
        spec = load_platform(platform)
        powers = [active_power_w(spec, t)[0] for t in range(1, int(spec.value("cores")) + 1)]
        assert powers == sorted(powers)
