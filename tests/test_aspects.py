"""What the six aspects rest on: rankings, correlations, the split at the exit, 4-bit weights, and what pages take over."""

import json

import numpy as np
import pandas as pd
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hwaware_utils.base import reference
from hwaware_utils.base.artifacts import Artifact, sha256
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.decide import correlations, deployments, edge_cloud, npu, techniques
from hwaware_utils.report import figures
from hwaware_utils.report.charts import MIMETYPE
from hwaware_utils.report.from_notebook import find_chart
from hwaware_utils.study import int4
from hwaware_utils.study.benchmark import open_model
from hwaware_utils.tflite_file import OPERATORS, read_model

STORED = pd.read_csv(REFERENCE / "variants.csv").set_index("variant")
CONFIGURATIONS = pd.DataFrame(
    {
        "variant": ["baseline-fp32", "baseline-int8_ptq", "small-fp32", "small-int8_ptq"] * 2,
        "platform": ["mcu"] * 4 + ["phone"] * 4,
        "architecture": ["baseline", "baseline", "small", "small"] * 2,
        "precision": ["fp32", "int8_ptq"] * 4,
        "latency_ms_evidence": "modelled",
    }
)


def gains(platform, speedups, points=(0.0, -2.0, -2.0)):
    names = ["baseline-int8_ptq", "small-fp32", "small-int8_ptq"]
    table = pd.DataFrame({"variant": names, "platform": platform, "speedup": speedups, "accuracy_change_points": points})
    return table.assign(energy_saving=table["speedup"], ram_saving=2.0, size_saving=4.0, evidence="modelled")


def test_a_technique_is_compared_with_its_own_partner():
    fits = CONFIGURATIONS[["variant", "platform"]].assign(fits=CONFIGURATIONS["platform"].eq("phone"))
    table = techniques.rank_techniques(
        pd.concat([gains("mcu", [2.0, 3.0, 24.0]), gains("phone", [4.0, 3.0, 12.0])]), CONFIGURATIONS, fits
    )
    mcu = table[table["platform"] == "mcu"].set_index("technique")
    # INT8: 2 on the baseline, 24 / 3 on the small network; the network: 3 in FP32, 24 / 2 in INT8
    assert mcu.loc["int8_ptq", ["speedup", "speedup_low", "speedup_high"]].tolist() == pytest.approx([4, 2, 8])
    assert mcu.loc["small", ["speedup", "speedup_low", "speedup_high"]].tolist() == pytest.approx([6, 3, 12])
    assert mcu["rank"].to_dict() == {"small": 1, "int8_ptq": 2}
    assert mcu.loc["small", "points"] == pytest.approx(-2.0)
    assert mcu["n_fit"].tolist() == [0, 0]
    assert table.loc[table["platform"] == "phone", "n_fit"].tolist() == [2, 2]


def test_a_platform_that_the_profile_leaves_out_has_every_technique_and_no_number():
    fits = CONFIGURATIONS[["variant", "platform"]].assign(fits=True)
    known = pd.concat([gains("mcu", [2.0, 3.0, 24.0]), gains("phone", [4.0, 3.0, 12.0])])
    ranking = techniques.rank_techniques(known, CONFIGURATIONS, fits)
    nowhere = techniques.on_platform(ranking, "arm_cortex_m7")
    assert set(nowhere.index) == {"int8_ptq", "small"} and nowhere.isna().all(axis=None)
    assert techniques.on_platform(ranking, "mcu").loc["int8_ptq", "speedup"] == pytest.approx(4)


def test_a_format_that_the_runtime_refuses_has_no_rank():
    one = CONFIGURATIONS[CONFIGURATIONS["platform"] == "mcu"]
    fits = one[["variant", "platform"]].assign(fits=[True, False, True, False])
    known = gains("mcu", [1.0, 3.0, 1.0])
    table = techniques.rank_techniques(known[known["variant"] == "small-fp32"], one, fits).set_index("technique")
    assert pd.isna(table.loc["int8_ptq", "rank"])
    assert table.loc["int8_ptq", ["partners", "n_fit", "n"]].tolist() == [0, 0, 2]
    assert table.loc["small", "rank"] == 1


def configurations(accuracy, latency):
    table = pd.DataFrame({"architecture": list("aaabbbccc"), "platform": "p", "accuracy": accuracy, "latency_ms": latency})
    table = table.assign(size_bytes=table["latency_ms"] * 1000, energy_mj=table["latency_ms"] * 3)
    return table.assign(**{f"{name}_evidence": "measured" for name in ("accuracy", "latency_ms", "size_bytes", "energy_mj")})


def test_a_correlation_between_networks_is_told_from_one_within():
    format_only = np.tile([1.0, 2.0, 1.5], 3)  # costs differ by format, accuracy by network, and the two do not touch
    latency = np.repeat([1.0, 10.0, 100.0], 3) * format_only
    table = correlations.correlate(configurations(np.repeat([0.7, 0.8, 0.9], 3), latency))
    mine = table[(table["first"] == "accuracy") & (table["second"] == "latency_ms")].set_index("level")
    assert mine.loc["between networks", "r"] == pytest.approx(1.0)
    assert (mine.loc["between networks", "r_low"], mine.loc["between networks", "r_high"]) == (-1.0, 1.0)  # three points
    assert np.isnan(mine.loc["within a network", "r"])  # accuracy does not vary there
    assert 0.9 < mine.loc["all", "r"] < 1
    power = table[(table["first"] == "latency_ms") & (table["second"] == "energy_mj")]
    assert power["r"].tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_a_correlation_agrees_with_scipy():
    rng = np.random.default_rng(1)
    accuracy, latency = rng.uniform(0.5, 0.9, 9), rng.uniform(1, 50, 9)
    row = correlations.correlate(configurations(accuracy, latency)).iloc[0]
    expected = stats.pearsonr(accuracy, np.log(latency))
    assert row["r"] == pytest.approx(expected.statistic)
    assert (row["r_low"], row["r_high"]) == pytest.approx(tuple(expected.confidence_interval()), abs=1e-3)
    assert row["rank_r"] == pytest.approx(stats.spearmanr(accuracy, latency).statistic)


@given(st.floats(-1, 1), st.integers(1, 500))
def test_fishers_interval_holds_r_and_stays_a_correlation(r, n):
    low, high = correlations.fisher_interval(r, n)
    assert -1 <= low <= r + 1e-9
    assert r - 1e-9 <= high <= 1


def test_what_leaves_at_the_exit_is_not_sent():
    fp32 = REFERENCE / STORED.loc["energy-fp32", "model_file"]
    exits = pd.DataFrame({"threshold": [1.0, 0.5, 0.0], "chosen": [False, True, False], "exit_share": [0.0, 0.75, 1.0],
                          "accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 1.0, "macs_share": [1.0, 0.8, 0.7],
                          "evidence": "recorded"})  # fmt: skip
    table = edge_cloud.split_at_exit(exits, fp32, 12)
    side = int(STORED.loc["energy-fp32", "resolution"])
    assert table["picture_bytes"].tolist() == [side * side * 3] * 3
    assert table["sent_picture_bytes"].tolist() == pytest.approx([side * side * 3, side * side * 3 / 4, 0])
    assert table["sent_feature_bytes"].iloc[1] == pytest.approx(table["feature_bytes"].iloc[0] / 4)
    assert set(table["device_macs_share"]) == {0.7}
    assert np.isnan(edge_cloud.points_at_share(exits[exits["exit_share"] < 0.8], 0.9))


def test_an_npu_stands_beside_the_processor_that_it_relieves():
    simulations = pd.DataFrame(
        {"variant": ["a", "a"], "platform": ["ethos_u55_128", "arm_cortex_m7"], "cycles_low": [100, 9000]}
    )
    simulations["latency_ms_low"] = [2.0, 90.0]
    operators = pd.DataFrame({"variant": "a", "on": ["ethos_u", "ethos_u", "cortex_m7"], "macs": [900, 100, 1000],
                              "operator": ["Conv2D", "DepthwiseConv2D", "CONV_2D"], "cycles": [60, 40, 9000]})  # fmt: skip
    operators["flash_cycles"] = [60, 5, None]
    latency = pd.DataFrame({"variant": ["a"], "platform": ["mcu"], "latency_ms": [50.0], "latency_ms_low": [40.0],
                            "latency_ms_high": [60.0]})  # fmt: skip
    table = npu.compare_npu(simulations, operators, latency, "mcu")
    assert len(table) == 1
    assert table.loc[0, ["speedup", "macs_per_cycle"]].tolist() == [25.0, 10.0]
    assert table.loc[0, ["depthwise_macs_share", "depthwise_cycles_share"]].tolist() == [0.1, 0.4]
    assert table.loc[0, "flash_bound_share"] == 0.6
    assert "25 to 25 times as fast as the board" in npu.sentence(table, "the board")
    assert "fewer bytes" in npu.sentence(table, "the board")
    assert "fewer bytes" not in npu.sentence(table.assign(flash_bound_share=0.4), "the board")
    nothing = npu.compare_npu(simulations[simulations["platform"] == "arm_cortex_m7"], simulations.head(0), latency, "mcu")
    assert nothing.empty
    assert "no the board beside it" in npu.sentence(nothing, "the board")


def test_one_row_a_winner_with_all_that_it_wins():
    quantities = {"accuracy": 0.9, "latency_ms": 5.0, "energy_mj": 2.0, "ram_bytes": 2048.0, "flash_bytes": 4096.0}
    table = pd.DataFrame(
        [
            {"platform": "p", "objective": goal, "variant": variant, "quantity": name, "value": value, "low": value / 2,
             "high": value * 2, "fits": variant != "c", "evidence": "recorded" if name == "accuracy" else "modelled"}
            for goal, variant in (("accuracy", "a"), ("latency", "b"), ("energy", "b"), ("memory", "c"))
            for name, value in quantities.items()
        ]
    )  # fmt: skip
    found = deployments.summarise(table).set_index("variant")
    assert found["objectives"].to_dict() == {"a": "accuracy", "b": "latency, energy"}  # c does not fit
    assert found.loc["b", ["ram_kib", "flash_kib", "latency_ms_high"]].tolist() == [2.0, 4.0, 10.0]
    assert found.loc["b", ["evidence", "accuracy_evidence"]].tolist() == ["modelled", "recorded"]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.sampled_from([4, 8]))
def test_rounding_is_off_by_half_a_step_at_most(weights, bits):
    channels = np.array([weights])
    step = np.abs(channels).max() / (2 ** (bits - 1) - 1)
    assert np.abs(int4.rounded(channels, bits) - channels).max() <= step / 2 * (1 + 1e-9)


def kinds_of_weights(content, tmp_path):
    """Operator -> the types of its weights."""
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    model = read_model(path)
    graph, found = model.subgraphs[0], {}
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            found.setdefault(name, set()).add(graph.tensors[operator.inputs[1]].type)
    return found


def test_four_bits_are_where_they_are_said_to_be_and_corrected_biases_help(tmp_path):
    fp32 = REFERENCE / STORED.loc["memory-fp32", "model_file"]
    inputs = np.random.default_rng(0).uniform(-1, 1, (6, *open_model(fp32).get_input_details()[0]["shape"][1:])).astype("f4")
    means = int4.channel_statistics(fp32, inputs)[0]
    plain = int4.convert(fp32.read_bytes(), 4, 8, inputs)
    types = kinds_of_weights(plain, tmp_path)
    assert types == {"CONV_2D": {schema.TensorType.INT4}, "DEPTHWISE_CONV_2D": {schema.TensorType.INT8}}
    wide = int4.convert(fp32.read_bytes(), 8, 8, inputs)
    assert len(wide) / 2 < len(plain) < len(wide)
    corrected = int4.convert(int4.corrected_biases(fp32, means, 4), 4, 0)

    def mean_logits(content):
        path = tmp_path / "run.tflite"
        path.write_bytes(content)
        model, outputs = open_model(path), []
        for x in inputs:
            model.set_tensor(model.get_input_details()[0]["index"], x[None])
            model.invoke()
            outputs.append(model.get_tensor(model.get_output_details()[0]["index"])[0])
        return np.mean(outputs, axis=0)

    right = mean_logits(fp32.read_bytes())
    uncorrected = int4.convert(fp32.read_bytes(), 4, 0)
    assert np.abs(mean_logits(corrected) - right).mean() < np.abs(mean_logits(uncorrected) - right).mean()


def test_what_is_recorded_with_these_settings_is_shown_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "some.fp32.tflite"
    file.write_bytes(b"TFL3")
    source = Artifact("some", {"fp32": file}, {"recipe": {}}, recorded=True)
    settings = {"calibration_images": 5, "seed": 7, "accuracy_n": 10}
    pd.DataFrame([{"variant": "w4", "sha256": sha256(file), "evidence": "recorded", **settings}]).to_csv(tmp_path / "int4.csv")
    monkeypatch.setattr(reference, "REFERENCE", tmp_path)

    class P:
        calibration_images, seed, failure_images, retrain = 5, 7, 10, False

    assert int4.measure_int4(source, P, None)["evidence"].tolist() == ["recorded"]
    P.failure_images = 11
    with pytest.raises(UserError, match="no 4-bit weights are recorded"):
        int4.measure_int4(source, P, None)


def test_a_page_finds_the_chart_by_the_name_of_its_figure(tmp_path):
    cell = {"metadata": {"mystnb": {"figure": {"name": "fig-x"}}}, "outputs": [{"data": {MIMETYPE: {"mark": "point"}}}]}
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": [{"metadata": {}}, cell]}))
    assert find_chart(path, "fig-x") == {"mark": "point"}
    assert find_chart(path, "fig-y") is None


def test_every_chart_says_what_it_shows():
    fits = CONFIGURATIONS[["variant", "platform"]].assign(fits=True)
    ranked = techniques.rank_techniques(
        pd.concat([gains("mcu", [2.0, 3.0, 24.0]), gains("phone", [4.0, 3.0, 12.0])]), CONFIGURATIONS, fits
    )
    related = correlations.correlate(configurations(np.linspace(0.5, 0.9, 9), np.arange(1.0, 10.0)))
    bits = pd.DataFrame({"variant": ["fp32", "w4"], "size_bytes": [4096, 1024], "accuracy": [0.9, 0.6], "evidence": "recorded"})
    bits = bits.assign(accuracy_low=bits["accuracy"] - 0.1, accuracy_high=bits["accuracy"] + 0.1)
    best = pd.DataFrame(
        {"platform": ["p"], "objectives": ["accuracy"], "variant": ["a"], "accuracy": [0.9], "latency_ms": [5.0]}
    )
    best = best.assign(latency_ms_low=4.0, latency_ms_high=6.0, evidence="modelled")
    for chart, told in (
        (figures.techniques(ranked), "small 4.50"),  # the median of 6 and 3
        (figures.correlations(related.head(3)), "between networks"),
        (figures.four_bits(bits), "w4 60.0% at 1 KiB"),
        (figures.deployments(best), "p, accuracy: a, 90.0%, 5 ms"),
    ):
        assert told in chart.to_dict()["description"]
