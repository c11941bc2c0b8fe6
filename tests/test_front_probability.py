"""Fronts under uncertainty against cases with a known answer: no width, one shared error, two independent errors."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide import front_errors, front_probability, front_survey

INTERVALS = {"accuracy": 0.004, "latency_ms": 0.2, "energy_mj": 0.5}
COSTS = ["latency_ms", "energy_mj", "size_bytes"]


def configurations(platform="apple_m1", evidence="modelled", width=1.0):
    """Two architectures in two precisions; `width` scales every interval."""
    table = pd.DataFrame(
        {
            "variant": ["big-fp32", "big-int8_ptq", "small-fp32", "small-int8_ptq"],
            "architecture": ["big", "big", "small", "small"], "precision": ["fp32", "int8_ptq"] * 2, "platform": platform,
            "threads": 1, "accuracy": [0.92, 0.919, 0.90, 0.899], "latency_ms": [3.0, 1.0, 0.8, 0.3],
            "size_bytes": [8000, 2400, 3400, 990], "latency_ms_evidence": evidence, "evidence": "modelled",
        }
    )  # fmt: skip
    table["energy_mj"] = 5 * table["latency_ms"]
    for name, share in INTERVALS.items():
        table[f"{name}_low"], table[f"{name}_high"] = table[name] * (1 - width * share), table[name] * (1 + width * share)
    return table


def probability(table, **how):
    drawn = front_probability.sample_objectives(table, 4000, 0, **how)
    return front_probability.front_probability(table, ["accuracy"], ["latency_ms"], drawn)


def test_without_width_the_probability_is_the_front():
    table = front_survey.survey_fronts(configurations(width=0), draws=50)
    for x in ("", "latency_", "size_", "energy_"):
        assert (table[f"on_{x}front_probability"] == table[f"on_{x}front"]).all()
    assert (table["on_front_probability_low"] == table["on_front_probability_high"]).all()


def test_probabilities_are_shares_within_their_range():
    table = front_survey.survey_fronts(configurations(), draws=300)
    shown = table.filter(regex="probability")
    assert ((shown >= 0) & (shown <= 1)).all(axis=None)
    assert (table["on_front_probability"].between(table["on_front_probability_low"], table["on_front_probability_high"])).all()
    assert (table["architecture_on_front_probability"] >= table["on_front_probability"]).all()
    pd.testing.assert_frame_equal(table, front_survey.survey_fronts(configurations(), draws=300))


def test_two_independent_latencies_come_out_as_on_paper():
    """The less accurate one is on the front if it is faster: P = Phi(ln(L1 / L2) / sqrt(s1^2 + s2^2))."""
    z, (a, b), (s1, s2) = NormalDist().inv_cdf(0.95), (1.2, 1.0), (0.3, 0.2)
    table = configurations().iloc[[0, 2]].assign(latency_ms=[a, b], energy_mj=1.0, accuracy=[0.92, 0.90])
    table = table.assign(accuracy_low=table["accuracy"], accuracy_high=table["accuracy"])
    table["latency_ms_low"] = table["latency_ms"] * np.exp([-z * s1, -z * s2])
    table["latency_ms_high"] = table["latency_ms"] * np.exp([z * s1, z * s2])
    expected = NormalDist().cdf(np.log(a / b) / np.hypot(s1, s2))
    assert probability(table, shared="own") == pytest.approx([1, expected], abs=0.03)


def test_a_wholly_shared_error_of_equal_width_moves_no_front():
    table = configurations()
    table["accuracy_low"], table["accuracy_high"] = table["accuracy"] - 0.01, table["accuracy"] + 0.01
    on_front = front_survey.fronts(table, ["accuracy"], ["latency_ms"])["on_front"]
    assert (probability(table, shared="shared") == on_front).all()


def test_draws_keep_the_stated_interval_and_median():
    table = configurations()
    drawn = front_probability.sample_objectives(table, 20_000, 1)
    for name, inside in (("latency_ms", 0.9), ("accuracy", 0.95)):
        low, high = np.quantile(drawn[name], [(1 - inside) / 2, (1 + inside) / 2], axis=0)
        assert np.median(drawn[name], axis=0) == pytest.approx(table[name], rel=0.02)
        assert low == pytest.approx(table[f"{name}_low"], rel=0.03)
        assert high == pytest.approx(table[f"{name}_high"], rel=0.03)
    assert drawn["energy_mj"] == pytest.approx(5 * drawn["latency_ms"])


@pytest.mark.parametrize("platform", ["apple_m1", "arm_cortex_a78", "arm_cortex_m7", "x86_host"])
@pytest.mark.parametrize("evidence", ["modelled", "measured"])
def test_shares_of_an_error_make_it_whole(platform, evidence):
    table = configurations(platform, evidence)
    for effects in (front_errors.latency_effects(table), front_errors.accuracy_effects(table)):
        assert sum(effect.share for effect in effects) == pytest.approx(np.ones(4))
        assert all((effect.share >= 0).all() for effect in effects)


def test_what_is_borrowed_is_shared_and_what_is_measured_is_not():
    """The phone's ranges are borrowed (x 1.3 and more); with an interval no wider than that nothing is left of its own."""
    narrow = configurations("arm_cortex_a78")
    platform, _, own = (effect.share for effect in front_errors.latency_effects(narrow))
    assert platform.max() > 0.9
    assert own == pytest.approx(np.zeros(4))
    own = front_errors.latency_effects(configurations("arm_cortex_a78", "measured"))[2]
    assert own.share == pytest.approx(np.ones(4))
    assert len(set(own.labels)) == 4
    twins = configurations().assign(precision=["int8_ptq", "int8_qat"] * 2)
    assert len(set(front_errors.latency_effects(twins)[2].labels)) == 2, "the same operators, the same error"


def test_accuracies_of_one_architecture_move_together():
    table = configurations()
    accuracy = front_probability.sample_objectives(table, 20_000, 0)["accuracy"]
    found, known = np.corrcoef(accuracy.T), front_errors.load_correlations()
    assert found[0, 1] == pytest.approx(known["same_architecture_correlation"].value, abs=0.02)
    assert found[0, 2] == pytest.approx(known["other_architecture_correlation"].value, abs=0.03)


def test_common_share_of_known_errors():
    """All rows 10 % too slow: wholly common. Two up, two down by as much: not at all."""
    table = pd.DataFrame({"published_ms": 1.0, "predicted_ms": [1.1] * 4 + [1.1, 1.1, 1 / 1.1, 1 / 1.1]})
    table = table.assign(platform="p", precision=["fp32"] * 4 + ["int8"] * 4, threads=1, split="s")
    assert front_errors.common_share(table)["common_share"].tolist() == pytest.approx([1, 0])


def test_summary_counts_what_the_survey_marks():
    surveyed = front_survey.survey_fronts(configurations(), draws=100)
    table = front_survey.summarise_fronts(surveyed, draws=100).set_index("front")
    assert table["front_points"].to_dict() == {
        "latency": int(surveyed["on_latency_front"].sum()), "size": int(surveyed["on_size_front"].sum()),
        "energy": int(surveyed["on_energy_front"].sum()), "all": int(surveyed["on_front"].sum()),
    }  # fmt: skip
    assert (table["hypervolume"].between(table["hypervolume_low"], table["hypervolume_high"])).all()
    # 0.92 - 0.899 = 0.021 and 3.0 - 0.3 = 2.7 are the ranges; the reference point lies a tenth of them outside
    assert table.loc["latency", "reference_accuracy"] == pytest.approx(0.899 - 0.0021)
    assert table.loc["latency", "reference_latency_ms"] == pytest.approx(3.27)
    assert np.isnan(table.loc["latency", "reference_energy_mj"])


def test_a_row_without_a_value_is_left_out():
    table = configurations()
    table.loc[1, ["latency_ms", "latency_ms_low", "latency_ms_high", "energy_mj"]] = np.nan
    surveyed = front_survey.survey_fronts(table, draws=50)
    assert surveyed["on_front_probability"].isna().tolist() == [False, True, False, False]
    assert not surveyed.loc[1, "comparable"]
    assert front_survey.summarise_fronts(surveyed, draws=50)["configurations"].eq(3).all()


def test_bad_input_is_told_in_a_sentence():
    table = configurations()
    with pytest.raises(UserError, match="no column 'accuracy_low'"):
        front_survey.survey_fronts(table.drop(columns="accuracy_low"))
    with pytest.raises(UserError, match=r"latency_ms of row 2 is 0\.8 in the interval nan"):
        front_survey.survey_fronts(table.assign(latency_ms_low=[1.0, 0.5, np.nan, 0.1]))
    with pytest.raises(UserError, match="0 < low"):
        front_probability.sample_objectives(table.assign(latency_ms_low=0.0))
    with pytest.raises(UserError, match="'energy_mj' is no column"):
        front_survey.survey_fronts(table.drop(columns="energy_mj"))
    with pytest.raises(UserError, match="one platform at a time"):
        front_probability.sample_objectives(table.assign(platform=["apple_m1", "x86_host"] * 2))
    with pytest.raises(UserError, match="'some' is unknown"):
        front_probability.sample_objectives(table, shared="some")
    with pytest.raises(UserError, match=r"expected one shape, draws x 4 rows"):
        front_probability.front_probability(table, ["accuracy"], COSTS, {"accuracy": np.zeros((5, 3))})
