"""Scenarios: checked at the door, decided by the recommender, fed by a battery that can feed them."""

import copy
import math

import pandas as pd
import pytest
import yaml

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.decide import applications, scenarios
from hwaware_utils.decide.duty_cycle import sweep_duty
from hwaware_utils.decide.heat import estimate_heat
from hwaware_utils.decide.methodology import HardwareAwareDesignMethodology
from hwaware_utils.platforms.specs import load_platform
from hwaware_utils.report import figures


@pytest.fixture
def content():
    return copy.deepcopy(yaml.safe_load(scenarios.PATH.read_text()))


@pytest.fixture(scope="module")
def asked():
    return scenarios.load_scenarios()


@pytest.fixture(scope="module")
def methodology():
    return HardwareAwareDesignMethodology(pd.read_csv(REFERENCE / "configurations.csv"))


@pytest.fixture(scope="module")
def recommended(methodology, asked):
    return applications.recommend_scenarios(methodology, asked)


@pytest.fixture(scope="module")
def batteries(recommended, asked):
    return applications.estimate_batteries(recommended, asked)


def changed(scenario, **values):
    return scenario.model_copy(update=values)


class TestRefusals:
    @pytest.mark.parametrize(
        ("where", "value", "match"),
        [
            (["platform"], "arm_cortex_a77", "unknown device.*did you mean 'arm_cortex_a78'"),
            (["platfrom"], "arm_cortex_a78", "'platfrom' is no key here.*did you mean 'platform'"),
            (["objective"], "speed", "unknown objective"),
            (["constraints"], {"latency": 3}, "did you mean 'latency_ms'"),
            (["constraints"], {"latency_ms": -3}, "give a number of 0 or more"),
            (["inferences_per_hour"], -3, "greater than 0"),
            (["inferences_per_hour"], 3e6, "leaves no time"),
            (["inferences_per_hour"], math.nan, "finite"),
            (["awake_ms", "value"], -1, "greater than or equal to 0"),
            (["awake_ms", "valeu"], 1, "did you mean 'value'"),
            (["awake_ms", "source"], "", "at least 1 character"),
            (["awake_ms", "evidence"], "guessed", "'assumed'"),
            (["battery", "voltage"], 1, "did you mean 'voltage_v'"),
            (["battery", "voltage_v", "value"], 3700, "physically impossible"),
            (["battery", "voltage_v", "unit"], "mV", "expected 'V'"),
        ],
    )
    def test_one_sentence_that_names_the_place(self, content, where, value, match):
        place = content["scenarios"][3]
        for key in where[:-1]:
            place = place[key]
        place[where[-1]] = value
        with pytest.raises(UserError, match=match) as refusal:
            scenarios.parse_scenarios(content, "mine.yaml")
        assert str(refusal.value).startswith("mine.yaml: always_on")
        assert "\n" not in str(refusal.value)

    def test_a_key_of_the_file(self, content):
        content["scenaros"] = []
        with pytest.raises(UserError, match="did you mean 'scenarios'"):
            scenarios.parse_scenarios(content, "mine.yaml")

    def test_the_same_id_twice(self, content):
        content["scenarios"].append(content["scenarios"][0])
        with pytest.raises(UserError, match="'video_phone' stands there twice"):
            scenarios.parse_scenarios(content, "mine.yaml")

    @pytest.mark.parametrize("content", [None, [], {}, {"scenarios": []}, {"scenarios": [3]}, {"scenarios": "x"}])
    def test_a_file_without_scenarios(self, content):
        with pytest.raises(UserError, match=r"mine\.yaml"):
            scenarios.parse_scenarios(content, "mine.yaml")

    def test_a_file_that_is_not_there_or_no_yaml(self, tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            scenarios.load_scenarios(tmp_path / "none.yaml")
        (tmp_path / "bad.yaml").write_text("scenarios: [")
        with pytest.raises(UserError, match="no valid YAML"):
            scenarios.load_scenarios(tmp_path / "bad.yaml")


class TestScenario:
    def test_the_period_limits_the_latency(self, asked):
        video = asked[0]
        assert video.period_ms == pytest.approx(1000 / 30)
        assert video.limits()["latency_ms"] == pytest.approx(1000 / 30 - video.awake_ms.at("high"))
        strict = changed(video, constraints={"latency_ms": 5.0})
        assert strict.limits()["latency_ms"] == 5

    def test_a_share_stays_below_one(self, asked):
        assert all(s.regulator_efficiency.at("high") <= 1 for s in asked)
        assert asked[0].regulator_efficiency.at("low") == pytest.approx(0.85 / 1.1)

    def test_a_wide_supply_holds_more_and_loses_less(self, asked):
        low, high = asked[0].supply("low"), asked[0].supply("high")
        assert low.usable_j < high.usable_j
        assert low.self_discharge_per_month > high.self_discharge_per_month


class TestDecisions:
    def test_a_choice_fits_its_device_and_keeps_up(self, recommended, methodology):
        table = methodology.configurations.set_index(["variant", "platform"])
        for row in recommended[recommended["decided"]].itertuples():
            own, spec = table.loc[(row.variant, row.platform)], load_platform(row.platform)
            assert own["ram_bytes"] / 1024 <= spec.value("ram_kib")
            assert row.latency_ms_high <= row.latency_limit_ms
            assert own["latency_ms"] == row.latency_ms

    def test_an_impossible_wish_is_told_and_gets_no_battery_life(self, methodology, asked):
        wish = [changed(asked[3], constraints={"accuracy": 0.999})]
        answer = applications.recommend_scenarios(methodology, wish)
        assert not answer["decided"].any() and "Nothing fits" in answer["why_not"][0]
        assert applications.estimate_batteries(answer, wish).empty

    def test_a_device_without_configurations_is_told(self, methodology, asked):
        answer = applications.recommend_scenarios(methodology, [changed(asked[0], platform="ethos_u55_128")])
        assert not answer["decided"][0] and "no configuration for ethos_u55_128" in answer["why_not"][0]


class TestBatteries:
    def test_always_on_by_hand(self, recommended, batteries, asked):
        row = recommended.set_index("scenario").loc["always_on"]
        # five a second: the inference, 20 ms at 150 mW, 0.9 mW for the rest of the time, 2 mW all the time
        duty = 5 * (row["latency_ms"] + 20) / 1000
        load_mw = 5 * row["energy_mj"] + 5 * 0.020 * 150 + (1 - duty) * 0.9 + 2
        drawn_mw = load_mw / 0.85 + 3.6 * 3000 * 0.03 / (365.25 / 12 * 24)
        own = batteries.set_index("scenario").loc["always_on"]
        assert own["duty"] == pytest.approx(duty)
        assert own["power_mw"] == pytest.approx(drawn_mw)
        assert own["life_h"] == pytest.approx(3.6 * 3000 * 0.9 / drawn_mw)
        assert own["inferences"] == pytest.approx(own["life_h"] * 18000)

    def test_ranges_hold_their_middle(self, batteries):
        fed = batteries[batteries["life_h"].notna()]
        for name in ("life_h", "inferences", "power_mw"):
            assert (fed[f"{name}_low"] < fed[name]).all() and (fed[name] < fed[f"{name}_high"]).all()

    def test_shares_add_up(self, batteries):
        fed = batteries[batteries["feasible"]]
        assert fed.filter(like="share_").sum(axis=1).to_numpy() == pytest.approx(1)

    def test_a_coin_cell_does_not_feed_the_microcontroller(self, batteries):
        own = batteries.set_index("scenario").loc["coin_cell"]
        assert not own["feasible"] and math.isnan(own["life_h"]) and own["peak_ma"] > own["max_ma"]

    def test_the_mains_have_no_life(self, batteries):
        own = batteries.set_index("scenario").loc["service"]
        assert own["feasible"] and math.isnan(own["life_h"]) and own["power_mw"] > 0

    def test_a_device_that_cannot_keep_up_gets_no_life(self, recommended, asked):
        busy = changed(asked[3], inferences_per_hour=60_000.0)  # a period of 60 ms, for 59 ms and 20 ms awake
        own = applications.estimate_batteries(recommended[recommended["scenario"] == "always_on"], [busy]).iloc[0]
        assert not own["feasible"] and own["duty"] > 1 and "longer than the period" in own["why_not"]
        assert math.isnan(own["life_h"])

    def test_the_sweep_passes_through_the_applications_own_rate(self, recommended, batteries, asked):
        sweep = sweep_duty(recommended, asked, points=400)
        for row in batteries[batteries["life_h"].notna()].itertuples():
            line = sweep[sweep["scenario"] == row.scenario]
            nearest = line.loc[(line["inferences_per_hour"] / row.inferences_per_hour - 1).abs().idxmin()]
            assert nearest["life_h"] == pytest.approx(row.life_h, rel=0.05)
            assert line["life_h"].is_monotonic_decreasing
            assert line["share_inference"].is_monotonic_increasing

    def test_a_frugal_choice_never_lasts_shorter(self, methodology, asked):
        lives = applications.compare_objectives(methodology, asked, ["accuracy", "energy"])
        by = lives.pivot_table("life_h", "scenario", "objective")
        assert (by["energy"] >= by["accuracy"]).all()

    def test_heat_follows_the_power(self, recommended, asked):
        warm = estimate_heat(recommended, asked).set_index("scenario")
        assert (warm["power_w"] <= warm["flat_out_w"] * (1 + 1e-6)).all()
        assert warm["flat_out_share"].between(0, 1).all()
        assert (warm["temperature_c"] >= 25 - 1e-6).all() and (warm["temperature_c"] <= warm["limit_c"]).all()


def test_charts_and_tables_stand_empty_when_nothing_is_decided(methodology, asked):
    wish = [changed(one, constraints={"accuracy": 0.999}) for one in asked]
    nothing = applications.recommend_scenarios(methodology, wish)
    empty = applications.estimate_batteries(nothing, wish)
    assert empty.empty and sweep_duty(nothing, wish).empty and estimate_heat(nothing, wish).empty
    assert applications.compare_objectives(methodology, wish, ["energy"]).empty
    assert figures.battery_life(sweep_duty(nothing, wish), empty).to_dict()["description"]


def test_the_charts_tell_what_they_show(recommended, batteries, asked):
    told = figures.battery_life(sweep_duty(recommended, asked, points=10), batteries).to_dict()["description"]
    assert "always_on" in told and "coin_cell" not in told
    told = figures.energy_shares(batteries).to_dict()["description"]
    assert "video_phone" in told
