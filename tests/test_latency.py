"""Latency: fitted coefficients, borrowed ones, intervals, and what happens beyond the calibration."""

import copy

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls as scipy_nnls

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms import latency_model
from hwaware_utils.platforms.intervals import cv_plus, unknown_share, widen
from hwaware_utils.platforms.latency import estimate_latency
from hwaware_utils.platforms.latency_features import FEATURES, workload_features
from hwaware_utils.platforms.latency_fit import calibrate, fit_cycles, nnls
from hwaware_utils.platforms.latency_model import coefficients, find_model
from hwaware_utils.platforms.mobilenet import mobilenet_workload
from hwaware_utils.platforms.published import latency_ratios, load_published_latency
from hwaware_utils.platforms.specs import FOLDER, list_platforms, load_platform, parse_platform
from hwaware_utils.workload import COLUMNS, make_row

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

V2 = mobilenet_workload("mobilenet_v2", 1.0, 224, 1000, "fp32")
SMALL = mobilenet_workload("mobilenet_v2", 0.35, 128, 5, "int8")


def one_layer(operator, outputs, weights, side=4, inputs=16):
    image, result = ((1, side, side, inputs), "INT8"), ((1, side, side, outputs), "INT8")
    row = make_row(0, operator, "x", [image], [result], [(weights, "INT8"), ((outputs,), "INT32")], weights, (0,), (1,))
    return pd.DataFrame([row], columns=COLUMNS)


def test_features_of_one_layer_by_hand():
    pointwise = workload_features(one_layer("CONV_2D", 12, (12, 1, 1, 16)))
    # 16 pixels fill 3 tiles of 6, 12 channels 2 tiles of 8
    expected = {"pointwise_macs": 16 * 12 * 16, "pointwise_tile_macs": 18 * 16 * 16, "activation_elements": 16 * (16 + 12)}
    expected |= {"weights": 12 * 16 + 12, "operators": 1}
    assert pointwise == dict.fromkeys(FEATURES, 0) | expected
    depthwise = workload_features(one_layer("DEPTHWISE_CONV_2D", 16, (1, 3, 3, 16), side=32))
    expected = {"depthwise_macs": 9 * 32 * 32 * 16, "depthwise_rows": 32, "depthwise_bytes_beyond_cache": 2 * 16384 - 16384}
    expected |= {"depthwise_reads": 16384}
    expected |= {"activation_elements": 2 * 16384, "weights": 10 * 16, "operators": 1}
    assert depthwise == dict.fromkeys(FEATURES, 0) | expected


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 20))
def test_non_negative_least_squares_agrees_with_scipy(seed, columns, rows):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(rows, columns)), random.normal(size=rows)
    ours, theirs = nnls(a, b), scipy_nnls(a, b)
    assert (ours >= 0).all()
    assert np.linalg.norm(a @ ours - b) == pytest.approx(theirs[1], abs=1e-8)


def test_a_fit_finds_the_truth_and_forgives_an_outlier():
    random = np.random.default_rng(1)
    amounts = random.uniform(1e6, 1e8, size=(20, 3))
    truth = np.array([0.9, 7.0, 0.0])
    cycles = amounts @ truth
    assert fit_cycles(amounts, cycles) == pytest.approx(truth, rel=1e-6, abs=1e-6)
    cycles[3] *= 1.5
    assert fit_cycles(amounts, cycles) == pytest.approx(truth, rel=0.01, abs=0.05)
    assert (fit_cycles(amounts, cycles, np.array([1.0, 0, 0])) >= [1.0, 0, 0]).all(), "below what the hardware allows"


def test_intervals_cover_what_was_not_fitted():
    random = np.random.default_rng(2)
    covered = []
    for _ in range(40):
        amounts = random.uniform(1, 2, size=(32, 2))
        cycles = amounts @ [3.0, 1.0] * random.lognormal(0, 0.05, 32)
        found = calibrate(("weights", "operators"), amounts[:24], cycles[:24], np.arange(24) // 4)
        value, low, high = cv_plus(found, amounts[24:])
        assert (low <= value).all() and (value <= high).all()
        covered += list((low <= cycles[24:]) & (cycles[24:] <= high))
    assert 0.85 <= np.mean(covered) <= 0.98


def test_beyond_the_calibrated_shares_the_interval_widens():
    amounts = np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 1.0]] * 4)
    found = calibrate(("weights", "operators"), amounts, amounts @ [1.0, 1.0], np.arange(12) % 3)
    inside, outside = np.array([[1.0, 1.5]]), np.array([[1.0, 9.0]])
    assert not unknown_share(found, inside).any()
    share = unknown_share(found, outside)
    assert share[0] == pytest.approx([0, 0.9 - 2 / 3], abs=1e-9)
    low, high = widen(np.ones(1), np.ones(1), share)
    assert high[0] == pytest.approx(1 + 0.9 - 2 / 3) and low[0] == pytest.approx(1 / high[0])


@pytest.mark.parametrize("platform", list_platforms())
def test_every_platform_answers_within_bounds(platform):
    spec = load_platform(platform)
    for precision in ("fp32", "fp16", "dynamic", "int8_ptq", "mixed"):
        if not spec.runs(precision):
            continue
        for threads in range(1, int(spec.value("cores")) + 1):
            row = estimate_latency(SMALL, platform, precision, threads)
            assert row["bound_ms"] <= row["latency_ms_low"] <= row["latency_ms"] <= row["latency_ms_high"] < 1e5
            assert row["basis"] and row["evidence"] == "modelled"
        table = coefficients(platform, precision)
        check_evidence(table, platform)
        assert (table["cycles_per_unit"] >= 0).all()
        assert table.groupby("basis")["share"].sum().between(0.9, 1.1).all()


def test_coefficients_are_physical():
    for platform in ("apple_m1", "nvidia_orin_a78ae"):
        cost = coefficients(platform, "fp32").set_index("feature")["cycles_per_unit"]
        peak = load_platform(platform).value("macs_per_cycle_fp32")
        assert cost["pointwise_tile_macs"] >= 1 / peak, "faster than the vector units"
        # nine MACs an element that is read, yet far from nine times a tuned matrix product's rate
        assert cost["depthwise_reads"] > 9 * cost["pointwise_tile_macs"]
    m7 = coefficients("arm_cortex_m7", "int8").set_index("feature")["cycles_per_unit"]
    assert m7["pointwise_macs"] >= 1 / load_platform("arm_cortex_m7").value("macs_per_cycle_int8")


def test_a_borrower_says_so_and_has_the_wider_interval():
    board, phone = estimate_latency(V2, "nvidia_orin_a78ae", "fp32"), estimate_latency(V2, "arm_cortex_a78", "fp32")
    clocks = load_platform("nvidia_orin_a78ae").value("clock_mhz") / load_platform("arm_cortex_a78").value("clock_mhz")
    assert phone["latency_ms"] == pytest.approx(board["latency_ms"] * clocks)
    assert "borrowed" in phone["basis"] and "borrowed" not in board["basis"]
    assert phone["latency_ms_high"] / phone["latency_ms"] > board["latency_ms_high"] / board["latency_ms"]
    two = estimate_latency(V2, "nvidia_orin_a78ae", "fp32", 2)
    assert "Amdahl" in two["basis"] and board["latency_ms"] / 2 < two["latency_ms"] < board["latency_ms"]
    assert two["latency_ms_high"] / two["latency_ms_low"] > board["latency_ms_high"] / board["latency_ms_low"]


def test_more_threads_are_never_slower_than_fewer():
    # At 1.0-224 even twelve threads pay; small networks may lose to their barriers.
    for platform, precision in (("nvidia_orin_a78ae", "int8"), ("apple_m1", "int8"), ("arm_cortex_a78", "fp32")):
        cores = int(load_platform(platform).value("cores"))
        times = [estimate_latency(V2, platform, precision, t)["latency_ms"] for t in range(1, cores + 1)]
        assert times == sorted(times, reverse=True), platform


def test_anchors_and_ratios_come_out_right():
    row = load_published_latency("stm32h7a3_cubeai9").iloc[0]
    workload = mobilenet_workload(row.family, row.alpha, row.resolution, row.classes, "int8", row.channels)
    assert estimate_latency(workload, "stm32h7a3_cubeai9", "int8")["latency_ms"] == pytest.approx(row.latency_ms)
    ratios = latency_ratios("STM32H743", "CMSIS-NN @011bf32", "X-CUBE-AI 7.3.0")
    assert len(ratios) == 10 and ratios["mcunet-in2"] == pytest.approx(642 / 351)
    base, other = (estimate_latency(SMALL, f"stm32h743_{name}", "int8")["latency_ms"] for name in ("xcubeai", "cmsisnn"))
    assert other / base == pytest.approx(ratios.median())


def test_mixed_lies_between_integer_and_float():
    ends = [estimate_latency(V2, "apple_m1", precision) for precision in ("int8", "fp32")]
    mixed = estimate_latency(V2, "apple_m1", "mixed")
    assert min(e["latency_ms"] for e in ends) <= mixed["latency_ms"] <= max(e["latency_ms"] for e in ends)
    assert mixed["latency_ms_high"] == pytest.approx(max(e["latency_ms_high"] for e in ends))


def test_far_smaller_than_any_calibrated_network_is_flagged():
    tiny = estimate_latency(mobilenet_workload("mobilenet_v2", 0.35, 32, 10, "fp32"), "apple_m1", "fp32")
    assert tiny["extrapolated"] and "half as large" in tiny["basis"]
    assert tiny["latency_ms_high"] / tiny["latency_ms"] > 1.1


def test_unlike_networks_and_unknown_operators_are_flagged():
    assert not estimate_latency(SMALL, "arm_cortex_m7", "int8")["extrapolated"]
    dense = one_layer("CONV_2D", 64, (64, 5, 5, 16), side=64)
    row = estimate_latency(dense, "apple_m1", "fp32")
    assert row["extrapolated"] and "other_macs" in row["basis"]
    strange = SMALL.copy()
    strange.loc[3, ["operator", "known"]] = ["CUSTOM:MyOp", False]
    row = estimate_latency(strange, "arm_cortex_m7", "int8")
    assert row["extrapolated"] and "CUSTOM:MyOp" in row["basis"] and row["latency_ms"] > 0


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda e: e.pop("features"), "features"),
        (lambda e: e.update(features=["pointwise_mac"]), "pointwise_macs"),
        (lambda e: e.pop("rows"), "rows"),
        (lambda e: e.pop("threads"), "threads"),
        (lambda e: e.update(spraed=2), "spraed"),
    ],
)
def test_a_faulty_latency_block_is_refused(change, pattern):
    content = copy.deepcopy(yaml.safe_load((FOLDER / "arm_cortex_m7.yaml").read_text()))
    change(content["latency"][0])
    with pytest.raises(UserError, match=pattern):
        parse_platform(content, "faulty.yaml")


def test_a_borrowed_entry_needs_a_reason_and_never_narrows():
    content = yaml.safe_load((FOLDER / "arm_cortex_a78.yaml").read_text())
    for change, pattern in (({"reason": ""}, "reason"), ({"spread": 0.5}, "narrow"), ({"factors": {"wieghts": 1}}, "weights")):
        wrong = copy.deepcopy(content)
        wrong["latency"][0] |= change
        with pytest.raises(UserError, match=pattern):
            parse_platform(wrong, "faulty.yaml")


@pytest.mark.parametrize("assumed", [[0.3, 0.1, 0.6], {"median": 0.3}, {"median": 0.1, "low": 0.2, "high": 0.6}, 3])
def test_an_assumed_share_that_is_no_range_is_refused(assumed):
    content = yaml.safe_load((FOLDER / "x86_host.yaml").read_text())
    content["latency"][0]["assumed"] = assumed
    with pytest.raises(UserError, match=r"faulty.yaml: latency entry 1 assumes .* 0 < L <= M <= H <= 1"):
        parse_platform(content, "faulty.yaml")


def test_cycles_cannot_be_borrowed_where_a_share_is_assumed():
    spec = load_platform("x86_host")
    entry = {"precision": "fp16", "threads": 1, "from": {"precision": "fp32", "threads": 1}, "spread": 1.1, "reason": "none"}
    with pytest.raises(UserError, match=r"x86_host\.yaml: the latency entry for fp16 .* fp32 on x86_host, which is assumed"):
        latency_model._borrow(spec, entry)


def test_a_precision_without_entry_is_told():
    with pytest.raises(UserError, match="no latency entry for fp32"):
        find_model("stm32h743_tflm", "fp32")
