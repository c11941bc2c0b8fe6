"""The recommender against a naive one, limits that contradict each other, what other limits would bring, bad input."""

import json
import math
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, command
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.__main__ import cli
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.decide.methodology import OBJECTIVES, HardwareAwareDesignMethodology
from hwaware_utils.decide.question import parse_weights, tell
from hwaware_utils.decide.ranking import GOALS, costs
from hwaware_utils.decide.sensitivity import staircase
from hwaware_utils.platforms.specs import list_platforms

KIB = 1024
PRECISIONS = ["fp32", "fp16", "dynamic", "int8_ptq", "int8_qat", "mixed"]
# Written down once more, from the boards' data sheets and runtimes: RAM and flash in KiB, formats that run.
DEVICES = {
    "arm_cortex_m7": (512, 2048, {"fp32", "int8_ptq", "int8_qat"}),
    "arm_cortex_a78": (8 * 1024 * 1024, math.inf, set(PRECISIONS)),
    "apple_m1": (8 * 1024 * 1024, math.inf, set(PRECISIONS)),
}
COLUMNS = {"latency_ms": "latency_ms", "memory_mb": "ram_bytes", "size_mb": "size_bytes", "energy_mj": "energy_mj"}
DIVISORS = {"latency_ms": 1, "memory_mb": 1_000_000, "size_mb": 1_000_000, "energy_mj": 1}


def random_table(rng, n=24, platforms=tuple(DEVICES), unknown=0.05):
    """`n` variants on each platform; some numbers and some interval ends are missing."""
    parts = []
    for platform in platforms:
        part = pd.DataFrame({"variant": [f"v{k}" for k in range(n)], "precision": rng.choice(PRECISIONS, n)})
        part = part.assign(architecture="any", platform=platform, evidence="modelled", accuracy=rng.uniform(0.5, 1, n))
        for column, least, most in (
            *(("latency_ms", 1, 400), ("energy_mj", 1, 100), ("ram_bytes", 50 * KIB, 700 * KIB)),
            *(("flash_bytes", 200 * KIB, 2500 * KIB), ("size_bytes", 200 * KIB, 2500 * KIB)),
        ):
            part[column] = rng.uniform(least, most, n)
            part[f"{column}_high"] = np.where(rng.random(n) < 0.8, part[column] * rng.uniform(1, 1.5, n), np.nan)
        for column in ("accuracy", "latency_ms", "energy_mj"):
            part[column] = part[column].where(rng.random(n) >= unknown)
            if column != "accuracy":
                part[f"{column}_high"] = part[f"{column}_high"].where(part[column].notna())
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def random_limits(rng):
    ranges = {
        "latency_ms": (1, 500),
        "memory_mb": (0.05, 0.9),
        "size_mb": (0.2, 3),
        "energy_mj": (1, 150),
        "accuracy": (0.5, 1),
    }
    return {name: float(rng.uniform(*ends)) for name, ends in ranges.items() if rng.random() < 0.4}


def naively_fits(row, platform, limits):
    """One configuration, one plain loop; NaN fails every comparison that could let it pass."""
    ram_kib, flash_kib, formats = DEVICES[platform]

    def worst(column):
        high = row.get(f"{column}_high", math.nan)
        return row[column] if math.isnan(high) else max(row[column], high)

    if (
        row["precision"] not in formats
        or not worst("ram_bytes") / KIB <= ram_kib
        or not worst("flash_bytes") / KIB <= flash_kib
    ):
        return False
    for name, limit in limits.items():
        if name == "accuracy":
            if not row["accuracy"] >= limit:
                return False
        elif not worst(COLUMNS[name]) / DIVISORS[name] <= limit:
            return False
    return True


def test_ten_thousand_random_constraint_sets_never_get_a_configuration_that_breaks_one():
    rng = np.random.default_rng(20261123)
    objectives = [*OBJECTIVES, {"accuracy": 2, "energy": 1}, {"size": 1}]
    chosen = refused = 0
    for number in range(10_000):
        if number % 100 == 0:
            table = random_table(rng)
            methodology = HardwareAwareDesignMethodology(table)
            rows = {platform: part.to_dict("records") for platform, part in table.groupby("platform")}
        platform, limits = list(DEVICES)[number % len(DEVICES)], random_limits(rng)
        answer = methodology.recommend_configuration(platform, objectives[number % len(objectives)], limits)
        fitting = {row["variant"] for row in rows[platform] if naively_fits(row, platform, limits)}
        # whatever is offered fits; and everything that fits is offered, but where its objective is unknown
        offered = set(answer.assessment.variants[answer.ranked])
        assert offered <= fitting and answer.model in (offered or {None})
        unknown = {name for name, cost in zip(answer.assessment.variants, answer.keys[0], strict=True) if math.isnan(cost)}
        assert fitting - offered <= unknown
        chosen, refused = chosen + (answer.choice is not None), refused + (answer.choice is None)
    assert min(chosen, refused) > 1000, "the limits are too easy or too hard to tell anything"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([*OBJECTIVES, {"accuracy": 3, "latency": 1}]))
def test_the_choice_is_the_best_that_a_plain_search_finds(seed, objective):
    rng = np.random.default_rng(seed)
    table, limits = random_table(rng, 10, ("arm_cortex_m7",)), random_limits(rng)
    answer = HardwareAwareDesignMethodology(table).recommend_configuration("arm_cortex_m7", objective, limits)
    fitting = [row for row in table.to_dict("records") if naively_fits(row, "arm_cortex_m7", limits)]
    if objective in ("latency", "energy", "memory", "accuracy"):
        column, sign = {"accuracy": ("accuracy", -1)}.get(objective, (GOALS[objective][0], 1))
        known = [row for row in fitting if not math.isnan(row[column])]
        assert (answer.choice is None) == (not known)
        assert not known or sign * answer.choice[column] == min(sign * row[column] for row in known)
    else:  # the distance again, in words: among what runs on the device, each goal from best (0) to worst (1)
        weights = objective if isinstance(objective, dict) else dict.fromkeys(("accuracy", "latency", "memory", "energy"), 1)
        able = [row for row in table.to_dict("records") if naively_fits(row, "arm_cortex_m7", {})]

        def far(row):
            total = 0.0
            for goal, weight in weights.items():
                column, sign = GOALS[goal][:2]
                known = [sign * other[column] for other in able if not math.isnan(other[column])]
                span = (max(known) - min(known)) or 1.0 if known else 1.0
                total += weight * ((sign * row[column] - min(known, default=0)) / span) ** 2
            return math.sqrt(total / sum(weights.values()))

        known = [far(row) for row in fitting if not math.isnan(far(row))]
        assert (answer.choice is None) == (not known)
        assert not known or answer.choice["distance"] == pytest.approx(min(known))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([*OBJECTIVES, {"accuracy": 3, "latency": 1}]))
def test_following_a_sentence_of_the_sensitivity_brings_what_it_says(seed, objective):
    rng = np.random.default_rng(seed)
    methodology, limits = HardwareAwareDesignMethodology(random_table(rng, 14)), random_limits(rng)
    answer = methodology.recommend_configuration("arm_cortex_m7", objective, limits)
    check_evidence(answer.sensitivity, "sensitivity")
    cost = answer.keys[0]

    def ask(name, limit):
        again = methodology.recommend_configuration("arm_cortex_m7", objective, limits | {name: limit})
        return again.model, cost[again.ranked[0]] if again.ranked.size else math.inf

    for row in answer.sensitivity.to_dict("records"):
        name, step = row["constraint"], row["relaxed_to"]
        if name not in limits:
            continue  # the device's own: there is no other device to ask for
        stricter = math.nextafter(step, math.inf if name == "accuracy" else -math.inf)
        if row["change"] == "relax":
            model, reached = ask(name, step)
            assert model == row["variant"] and ask(name, stricter)[1] > reached
            if answer.choice:
                divisor = {"accuracy": 0.01, "memory": 1024}.get(objective, 1) if isinstance(objective, str) else 1
                assert row["gain"] * divisor == pytest.approx(cost[answer.ranked[0]] - reached) and row["gain"] > 0
        else:
            assert ask(name, step)[0] == answer.model
            if name != "accuracy" or step < 1:
                assert (ask(name, stricter)[0] or "") == row["variant"] != answer.model
                assert row["gain"] <= 0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_a_staircase_is_the_answer_to_every_limit(seed):
    rng = np.random.default_rng(seed)
    methodology, limits = HardwareAwareDesignMethodology(random_table(rng, 14)), random_limits(rng)
    answer = methodology.recommend_configuration("arm_cortex_m7", "accuracy", limits)
    steps = staircase(answer, "latency_ms")
    assert steps["limit"].is_monotonic_increasing and steps["value"].is_monotonic_increasing
    for limit in rng.uniform(1, 600, 5):
        reached = steps[steps["limit"] <= limit]
        model = methodology.recommend_configuration("arm_cortex_m7", "accuracy", limits | {"latency_ms": limit}).model
        assert model == (reached["variant"].iloc[-1] if len(reached) else None)


def row(variant, accuracy, latency, ram_kib=100.0, precision="int8_ptq", energy=10.0, platform="arm_cortex_m7"):
    names = {"variant": variant, "architecture": "any", "precision": precision, "platform": platform, "evidence": "modelled"}
    sizes = {"ram_bytes": ram_kib * KIB, "flash_bytes": 500.0 * KIB, "size_bytes": 500.0 * KIB}
    return {**names, **sizes, "accuracy": accuracy, "latency_ms": latency, "energy_mj": energy}


HAND = pd.DataFrame([row("small", 0.85, 40, 100), row("middle", 0.90, 90, 240), row("large", 0.912, 110, 300)])


def ask(objective="accuracy", table=HAND, **limits):
    return HardwareAwareDesignMethodology(table).recommend_configuration("arm_cortex_m7", objective, limits)


def test_with_20_ms_more_you_gain_1_2_points():
    prices = ask(latency_ms=90).sensitivity.set_index("change")
    assert (
        prices.loc["relax", "sentence"] == "With 20 ms more latency (a limit of 110 ms) you gain 1.2 points of accuracy: large."
    )
    assert prices.loc["tighten", "sentence"].endswith("beyond that you lose 5 points of accuracy: small.")
    assert prices.loc["relax", "gain"] == pytest.approx(1.2) and prices.loc["tighten", "gain"] == pytest.approx(-5)


def test_what_a_larger_device_would_bring_is_told_too():
    table = pd.concat([HAND, pd.DataFrame([row("giant", 0.95, 100, 600)])])
    prices = ask(table=table, latency_ms=200).sensitivity.query("constraint == 'device RAM'")
    assert prices["relaxed_to"].item() == 600 and prices["gain"].item() == pytest.approx(3.8)
    assert "88 KiB more RAM on the device" in prices["sentence"].item()


def test_limits_that_contradict_each_other_are_named():
    answer = ask(latency_ms=50, accuracy=0.9, memory_mb=0.5)
    assert answer.choice is None and answer.conflicts == [("latency_ms", "accuracy")]
    assert "contradict each other" in answer.sentence() and "each alone is possible" in answer.sentence()
    alone = ask(latency_ms=5, accuracy=0.9)
    assert alone.conflicts == [("latency_ms",)] and "the best is 40 ms" in alone.sentence()
    nothing = ask(table=HAND.assign(precision="fp16"), latency_ms=500)
    assert nothing.conflicts == [()] and "runs on arm_cortex_m7" in nothing.sentence()
    assert ask(latency_ms=100).conflicts == []


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_a_conflict_is_minimal(seed):
    rng = np.random.default_rng(seed)
    methodology, limits = HardwareAwareDesignMethodology(random_table(rng, 8)), random_limits(rng)
    answer = methodology.recommend_configuration("arm_cortex_m7", "memory", limits)
    for conflict in answer.conflicts:
        held = {name: limits[name] for name in conflict}
        assert methodology.recommend_configuration("arm_cortex_m7", "memory", held).choice is None
        for name in conflict:
            fewer = {other: limit for other, limit in held.items() if other != name}
            assert methodology.recommend_configuration("arm_cortex_m7", "memory", fewer).choice is not None
    assert bool(answer.conflicts) == (answer.choice is None)


def test_distances_do_not_depend_on_the_limits():
    loose, tight = ask("balanced"), ask("balanced", latency_ms=95)
    assert np.array_equal(loose.keys[0], tight.keys[0])
    assert costs(HAND, "latency")[0].tolist() == HAND["latency_ms"].tolist()


def test_weights_move_the_choice_between_the_extremes():
    assert ask({"accuracy": 1}).model == ask("accuracy").model == "large"
    assert ask({"latency": 5}).model == ask({"latency": 0.1, "size": 0}).model == "small"
    assert ask({"accuracy": 1, "latency": 1, "memory": 1, "energy": 1}).model == ask("balanced").model
    assert ask({"accuracy": 1e308, "latency": 1e308}).choice["distance"] <= 1


def test_a_choice_is_read_as_attribute_or_by_key_and_as_json():
    answer = ask("memory", latency_ms=200)
    assert (answer.model, answer.quantization, answer.accuracy) == ("small", "int8_ptq", 0.85)
    assert answer["latency_ms"] == answer.latency_ms == 40 and answer["memory_mb"] == 100 * KIB / 1e6
    with pytest.raises(KeyError):
        answer["latncy"]
    read = json.loads(json.dumps(answer.as_dict(), allow_nan=False))
    assert read["model"] == "small" and read["fits"] and read["evidence"]["energy_mj"] == "modelled"
    missed = json.loads(json.dumps(ask(latency_ms=1).as_dict(), allow_nan=False))
    assert missed["model"] is None and missed["nearest_miss"]["variant"] == "small" and missed["conflicts"] == [["latency_ms"]]
    for part in ("small", "Runners-up", "middle", "If a limit were another"):
        assert part in tell(answer)


def test_an_objective_that_is_unknown_everywhere_is_no_choice():
    answer = ask("energy", HAND.assign(energy_mj=math.nan))
    assert answer.choice is None and answer.nearest_miss is None and answer.conflicts == []
    assert "energy is unknown for all 3" in answer.sentence() and len(answer.rejections) == 3


def test_the_default_is_the_stored_reference_told_as_recorded():
    answer = HardwareAwareDesignMethodology().recommend_configuration(
        platform="arm_cortex_m7", objective="memory", custom_constraints={"latency_ms": 200, "memory_mb": 0.6}
    )
    assert answer.quantization.startswith("int8") and answer.memory_mb < 0.6 and answer.latency_ms < 200
    assert answer.evidence["accuracy"] == answer.evidence["size_bytes"] == "recorded"
    stored = pd.read_csv(ROOT / "results" / "reference" / "configurations.csv")
    told = {answer.model, *answer.runners_up["variant"], *answer.rejections["variant"]}
    assert told == set(stored.query("platform == 'arm_cortex_m7'")["variant"])


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda t: t.drop(columns=["energy_mj", "precision"]), "lacks the column precision, energy_mj"),
        (lambda t: t.head(0), "holds no configuration"),
        (lambda t: t.assign(variant=None), "row 2 has no variant"),
        (lambda t: t.assign(precision="int9"), "did you mean 'int8'"),
        (lambda t: t.assign(evidence="guessed"), "evidence 'guessed' is unknown"),
        (lambda t: t.assign(latency_ms="fast"), "latency_ms holds text"),
        (lambda t: t.assign(ram_bytes=-1.0), "ram_bytes of small on arm_cortex_m7 is -1.0"),
        (lambda t: t.assign(energy_mj_high=math.inf), "energy_mj_high of small"),
        (lambda t: t.assign(accuracy=91.0), "expected 0 to 1"),
    ],
)
def test_an_impossible_table_is_told_in_one_sentence(change, pattern, tmp_path):
    with pytest.raises(UserError, match=pattern):
        HardwareAwareDesignMethodology(change(HAND))
    change(HAND).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(UserError) as caught:
        HardwareAwareDesignMethodology(tmp_path / "table.csv")
    assert "\n" not in str(caught.value) and "table.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("objective", "limits", "pattern"),
    [
        ({"accurcy": 1}, {}, "did you mean 'accuracy'"),
        ({"accuracy": -1}, {}, "0 or more"),
        ({"accuracy": 0}, {}, "at least one above 0"),
        ({}, {}, "at least one above 0"),
        ({"accuracy": math.inf}, {}, "0 or more"),
        (None, {}, "objective None is unknown"),
        ("accuracy", {"latency_ms": True}, "0 or more"),
        ("accuracy", {"latency_ms": "fast"}, "0 or more"),
        ("accuracy", [("latency_ms", 3)], "no dictionary"),
    ],
)
def test_impossible_wishes_are_told_in_one_sentence(objective, limits, pattern):
    with pytest.raises(UserError, match=pattern):
        HardwareAwareDesignMethodology(HAND).recommend_configuration("arm_cortex_m7", objective, limits)


def test_numpy_numbers_are_limits_too():
    assert ask(latency_ms=np.float32(95), memory_mb=np.int64(1)).model == "middle"


def test_bytes_at_the_limit_are_within_it():
    for mb in np.round(np.arange(0.01, 1.5, 0.01), 2):
        table = HAND.assign(size_bytes=round(mb * 1e6))
        assert ask(table=table, size_mb=float(mb)).choice is not None, mb


@pytest.mark.parametrize("text", ["accuracy", "accuracy=two", "accuracy=1,accuracy=2", ""])
def test_weights_that_cannot_be_read_are_refused(text):
    with pytest.raises(UserError, match=r"name=number|twice"):
        parse_weights(text)


class TestCommand:
    def test_it_answers_in_json(self, tmp_path):
        done = command(
            *("recommend", "--platform", "arm_cortex_m7", "--objective", "memory", "--latency-ms", 200, "--memory-mb", 0.6),
            *("--json",),
            build=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        read = json.loads(done.stdout)
        assert read["fits"] and read["memory_mb"] < 0.6 and read["rejections"] and read["sensitivity"]

    def test_a_table_of_ones_own_and_weights(self, tmp_path, monkeypatch, capsys):
        HAND.to_csv(tmp_path / "own.csv", index=False)
        own = ["--weights", "accuracy=2,energy=1", "--table", str(tmp_path / "own.csv")]
        monkeypatch.setattr(sys, "argv", ["hwaware_utils", "recommend", "--platform", "arm_cortex_m7", *own])
        with pytest.raises(SystemExit) as ended:
            cli()
        assert not ended.value.code and "For accuracy=2,energy=1 on arm_cortex_m7: large" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--latency-ms", 70, "--accuracy", 0.9), "contradict each other"),
            (("--latency-ms", -5), "0 or more"),
            (("--objective", "memroy"), "did you mean 'memory'"),
            (("--objective", "memory", "--weights", "accuracy=1"), "give one of them"),
            (("--table", "nothing.csv"), "nothing.csv cannot be read"),
            (("--profile", "smoke"), "05_pareto"),
        ],
    )
    def test_bad_input_is_one_sentence_and_exit_code_2(self, arguments, said, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
        monkeypatch.setattr(sys, "argv", ["hwaware_utils", "recommend", "--platform", "arm_cortex_m7", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli()
        told = capsys.readouterr()
        assert ended.value.code == 2 and said in told.err and not told.out
        assert len(told.err.strip().splitlines()) == 1

    def test_nothing_fits_is_exit_code_2_with_the_whole_answer_in_json(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["hw", "recommend", "--platform", "arm_cortex_m7", "--latency-ms", "1", "--json"])
        with pytest.raises(SystemExit) as ended:
            cli()
        read = json.loads(capsys.readouterr().out)
        assert ended.value.code == 2 and not read["fits"] and read["nearest_miss"]["why_not"]


def test_every_platform_of_the_project_is_answered():
    table = random_table(np.random.default_rng(1), 30, tuple(list_platforms()), unknown=0)
    answers = HardwareAwareDesignMethodology(table).recommend_everywhere("balanced", {"latency_ms": 300})
    assert list(answers) == list_platforms() and sum(answer.choice is not None for answer in answers.values()) > 10
