"""The exploration: cut networks exact to the file, a surrogate that knows what it does not know, a study that resumes."""

import json

import numpy as np
import pandas as pd
import pytest
from explore_fixture import HAND_MADE, START, brief_table, make_search
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.decide.explore import answer, candidates, scaling, space, storage, surrogate, workers
from hwaware_utils.decide.explore.fidelity import fit_fidelity
from hwaware_utils.decide.front_quality import Reference, hypervolume
from hwaware_utils.platforms.arena import _lowest_free
from hwaware_utils.platforms.mobilenet import cut_mobilenet, mobilenet_workload, v2_channels
from hwaware_utils.platforms.predict import predict_cut, predict_file
from hwaware_utils.study.exploration_points import Point, point_recipe, space_filling
from hwaware_utils.study.explored import point_of
from hwaware_utils.workload import load_tensors, load_workload

settings.register_profile("shared_machine", deadline=None, max_examples=40)
settings.load_profile("shared_machine")

MANIFEST = json.loads((REFERENCE / "manifest.json").read_text())
TRAINED = [name for name, entry in MANIFEST.items() if entry["recipe"].get("resolution") and "fp32" in entry["files"]]


@pytest.mark.parametrize("name", TRAINED)
def test_a_cut_network_is_the_trained_file_operator_by_operator(name):
    entry = MANIFEST[name]
    recipe, file = entry["recipe"], REFERENCE / entry["files"]["fp32"]["name"]
    shares = [recipe.get(share, 1.0) for share in ("expansion", "stream", "head")]
    operators, tensors = cut_mobilenet(v2_channels(recipe["alpha"]).cut(*shares), recipe["resolution"], recipe["classes"])
    real, alive = load_workload(file), load_tensors(file)
    for column in ("operator", "output_shape", "macs", "weights", "activation_bytes"):
        assert operators[column].tolist() == real[column].tolist(), column
    heavy = real["macs"] > 0  # MEAN's axis is a constant of 8 bytes, but no weight
    assert operators.loc[heavy, "weight_bytes"].tolist() == real.loc[heavy, "weight_bytes"].tolist()
    assert (tensors[["bytes", "first", "last"]].to_numpy() == alive[["bytes", "first", "last"]].to_numpy()).all()


def test_its_latency_is_the_files_to_the_last_digit():
    row = pd.read_csv(REFERENCE / "variants.csv").set_index("variant").loc["latency-int8_ptq"]
    told = predict_file("arm_cortex_m7", REFERENCE / row["model_file"])
    asked = predict_cut("arm_cortex_m7", v2_channels(1.0).cut(0.5, 0.75, 0.5), 96, 10, "int8")
    for name in ("latency_ms", "ram_kib", "energy_mj"):
        assert asked[name] == pytest.approx(told[name], rel=1e-12)
    assert asked["macs"] == row["macs"] and asked["parameters"] == row["parameters"]


@pytest.mark.parametrize("alpha", [0.35, 0.5, 1.0, 1.4])
def test_uncut_is_the_width_multiplier(alpha):
    assert cut_mobilenet(v2_channels(alpha), 96, 10)[0].equals(mobilenet_workload("mobilenet_v2", alpha, 96, 10))


tensor = st.tuples(st.integers(1, 9), st.integers(0, 5), st.integers(0, 5)).map(lambda t: (t[0], min(t[1:]), max(t[1:])))


@given(members=st.lists(tensor, min_size=1, max_size=3), placed=st.lists(st.tuples(st.integers(0, 20), tensor), max_size=6))
def test_the_arenas_lowest_offset_is_the_lowest(members, placed):
    placed = [(offset, *rest) for offset, rest in placed]

    def free(start):
        return not any(
            a <= d and c <= b and start < offset + length and offset < start + size
            for size, a, b in members
            for offset, length, c, d in placed
        )

    assert _lowest_free(members, placed) == next(start for start in range(100) if free(start))


def test_fidelity_by_hand():
    before, ones = np.array([-1.0, -2.0]), np.ones(2)
    two = fit_fidelity(before, np.array([-1.5, -2.3]), ones, 1.0)  # rates -0.5 and -0.3
    middle, variance = two.transfer(np.array([-3.0]))
    assert two.freedom == 1 and middle[0] == pytest.approx(-3.4) and variance[0] == pytest.approx(0.02 * 1.5)
    # twice the (log) images, twice the step and its deviation
    middle, variance = fit_fidelity(before, np.array([-1.5, -2.3]), ones, 2.0).transfer(np.array([-3.0]))
    assert middle[0] == pytest.approx(-3.8) and variance[0] == pytest.approx(4 * 0.02 * 1.5)
    none = fit_fidelity(np.zeros(0), np.zeros(0), np.zeros(0), 1.0)
    assert none.transfer(np.array([-3.0]))[0][0] == -3.0 and none.passed_on == 1
    with pytest.raises(UserError, match="at least two"):
        fit_fidelity(np.zeros(1), np.zeros(1), np.ones(1), 1.0)
    with pytest.raises(UserError, match="no more images"):
        fit_fidelity(before, before, ones, 0.0)


def test_surrogate_finds_a_law_that_holds_exactly():
    table = brief_table(noise=0.0)
    fitted = surrogate.fit_surrogate(table)
    assert {"log_macs", "taught"} <= set(fitted.features)  # half an error more lets one more in
    told = fitted.predict(table)
    assert (told["accuracy"] - table["accuracy"]).abs().max() < 1e-4  # half an error in 10,001 images
    assert (told["accuracy_high"] - told["accuracy_low"]).max() < 1e-3


def test_surrogate_finds_the_floor():
    table = brief_table(noise=0.0)
    table["accuracy"] = 1 - (0.041 + np.exp(9.0 - 0.7 * np.log(table["macs"])))
    with_floor = surrogate.fit_surrogate(table, None, 1 - 0.082)
    assert with_floor.floor == pytest.approx(0.041)
    assert surrogate.fit_surrogate(table, None, 1.0).floor == 0


@pytest.mark.parametrize("seed", range(3))
def test_intervals_hold_what_was_left_out(seed):
    left = surrogate.leave_one_out(brief_table(noise=0.04, seed=seed))
    assert left["inside"].mean() >= 0.75  # 90 % meant, 19 points
    assert left["error_points"].abs().mean() < 1.5


def test_more_network_is_never_predicted_worse():
    fitted = surrogate.fit_surrogate(brief_table(noise=0.05, seed=4))
    one = pd.DataFrame([{"expansion": 0.5, "stream": 0.7, "head": 0.5, "resolution": 96, "taught": False}])
    small = space.with_work(one, START)
    for change in ({"expansion": 0.9}, {"stream": 1.0}, {"head": 1.0}, {"resolution": 128}, {"taught": True}):
        grown = space.with_work(one.assign(**change), START)
        assert fitted.predict(grown)["accuracy"][0] >= fitted.predict(small)["accuracy"][0] - 1e-12, change


def test_what_is_far_or_badly_known_has_the_wider_interval():
    table = brief_table(noise=0.04)
    fitted = surrogate.fit_surrogate(table)
    near, far = table.iloc[[0]], table.iloc[[0]].assign(macs=table["macs"].max() * 20)
    width = {k: fitted.log_error(rows)[1][0] for k, rows in {"near": near, "far": far}.items()}
    assert width["far"] > width["near"]
    with pytest.raises(UserError, match="too few"):
        surrogate.fit_surrogate(table.head(2))


def test_int8_loss_widens_the_interval_and_moves_the_middle():
    variants = pd.DataFrame({
        "architecture": ["a", "a", "b", "b"], "precision": ["fp32", "int8_ptq"] * 2, "accuracy": [0.9, 0.89, 0.8, 0.78],
    })  # fmt: skip
    loss = candidates.int8_loss(variants)
    assert loss == pytest.approx((0.015, 0.01 / np.sqrt(2), 2))
    told = candidates.predict_accuracy(make_search().surrogate, brief_table().head(3), loss)
    assert (told["accuracy"] - told["int8_accuracy"]).tolist() == pytest.approx([0.015] * 3)
    widths = [told[f"{k}accuracy_high"] - told[f"{k}accuracy_low"] for k in ("int8_", "")]
    assert (widths[0] > widths[1]).all()


BOX = Reference({"accuracy": 0.95, "latency_ms": 10.0}, {"accuracy": 0.80, "latency_ms": 110.0})
FRONT = pd.DataFrame({"accuracy": [0.85, 0.9], "latency_ms": [20.0, 60.0]})


def test_expected_gain_is_the_mean_of_the_gains():
    points = pd.DataFrame({"latency_ms": [10.0, 40.0, 90.0, 200.0]})
    draws = np.random.default_rng(0).uniform(0.75, 0.99, (4, 25))
    gains = candidates.expected_gains(FRONT, points, draws, ["latency_ms"], BOX)

    def volume(*more):
        table = pd.DataFrame([*FRONT.to_numpy().tolist(), *more], columns=["accuracy", "latency_ms"])
        return hypervolume(table, ["accuracy"], ["latency_ms"], BOX)

    for k, latency in enumerate(points["latency_ms"]):
        grown = np.mean([volume((accuracy, latency)) for accuracy in draws[k]])
        assert gains[k] == pytest.approx(grown - volume(), abs=1e-12)
    assert gains[3] == 0


def test_candidates_are_taken_one_after_the_other():
    search = make_search()
    table = space.point_table(
        space.as_points([[0.9, 1, 1, 128], [0.9, 1, 1, 128], [0.3, 0.5, 0.3, 64]]), START, "arm_cortex_m7"
    )
    box = Reference({"accuracy": 1.0, "latency_ms": 0.0}, {"accuracy": 0.0, "latency_ms": 1000.0})
    front = pd.DataFrame({"accuracy": [0.1], "latency_ms": [900.0]})
    chosen = candidates.choose_candidates(search.surrogate, table, front, ["latency_ms"], box, count=2)
    assert chosen["resolution"].tolist() in ([128, 64], [64, 128])  # the twin of the first adds nothing more
    assert (chosen["expected_gain"] > 0).all()


def test_the_same_network_by_another_share_is_the_same_point():
    a, b = Point(0.5, 0.75, 0.5, 96), Point(0.501, 0.751, 0.499, 96)
    assert space.same_network(a, START) == space.same_network(b, START)
    assert space.same_network(a, START) != space.same_network(Point(0.5, 0.75, 0.5, 64), START)
    for row in ([0.5, 0.5, 0.5], [0, 1, 1, 96], [1, 1, 1, 95], [1.2, 1, 1, 96]):
        with pytest.raises(UserError, match="is no point"):
            space.as_points([row])


def test_a_point_survives_its_recipe():
    point = space_filling(4, [64, 96], 7)[3]
    recipe = point_recipe(START, point, learning_rate=1e-3, epochs=1, images=0, teacher_weight=0.7, temperature=4.0)
    assert point_of(recipe) == point


def test_a_study_repeats_begins_with_the_hand_made_and_respects_the_device():
    search = make_search()
    first, again = workers.explore(search, 14, seed=3), workers.explore(search, 14, seed=3)
    assert first.drop(columns="seconds").equals(again.drop(columns="seconds"))
    names = ["expansion", "stream", "head", "resolution"]
    begun = first.sort_values("trial")[names].head(len(HAND_MADE)).to_numpy().tolist()
    assert begun == [[p.expansion, p.stream, p.head, p.resolution] for p in HAND_MADE]
    assert (first["fits"] == ((first["ram_kib"] <= 512) & (first["flash_kib"] <= 2048))).all() and not first["fits"].all()
    best = answer.front_of(first, search)
    assert best["fits"].all() and best["accuracy"].is_monotonic_increasing and best["latency_ms"].is_monotonic_increasing


def test_nothing_fits_names_the_nearest_miss():
    trials = pd.DataFrame({"fits": [False, False], "ram_excess": [0.5, 0.1], "flash_excess": [-0.5, -0.2]})
    with pytest.raises(UserError, match=r"none of 2 trials fits arm_cortex_m7.*ram \+10%"):
        answer.front_of(trials, make_search())


def test_a_study_in_a_file_continues_to_the_total(tmp_path):
    place = str(tmp_path / "study.db")
    assert len(workers.explore(make_search(), 5, place)) == 5
    table = workers.explore(make_search(), 8, place)
    assert len(table) == 8 and len(workers.explore(make_search(), 8, place)) == 8
    assert table["trial"].tolist() == list(range(8))
    with pytest.raises(UserError, match="asked something else"):
        workers.explore(make_search().with_objectives(["energy_mj"]), 9, place)


@pytest.mark.parametrize("content", [b"no database at all, only text of some length", b""])
def test_a_damaged_file_is_told(tmp_path, content):
    place = tmp_path / "study.db"
    place.write_bytes(content)
    if not content:  # an empty file is a new study
        assert len(workers.explore(make_search(), 1, str(place))) == 1
        return
    with pytest.raises(UserError, match="is no study or is damaged"):
        workers.explore(make_search(), 1, str(place))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials 0: give a number from 1"),
        ({"trials": 5, "workers": 0}, "workers 0"),
        ({"trials": 5, "workers": 2}, "need a common storage"),
        ({"trials": 5, "place": "postgres//me:secret@host"}, "no database URL"),
        ({"trials": 5, "place": "nosuchsql://me:secret@host/db"}, "without a driver"),
        ({"trials": 5, "place": "postgresql+psycopg://me:secret@:x/db"}, "no database URL"),
    ],
)
def test_bad_input_is_one_sentence_without_a_password(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message) as told:
        workers.explore(make_search(), **arguments)
    assert "secret" not in str(told.value) and "\n" not in str(told.value)


def test_unknown_objective_and_platform():
    with pytest.raises(UserError, match="did you mean 'latency_ms'"):
        make_search().with_objectives(["latency"])
    with pytest.raises(UserError, match="did you mean 'arm_cortex_m7'"):
        workers.explore(make_search(platform="arm_cortex_m8"), 1)


def test_hours_grow_with_trials_and_shrink_with_workers():
    table = scaling.estimate_study_hours({"x": (10.0, 20.0)}, 0.5, 0.8).set_index(["trials", "workers"])
    assert table.loc[(1000, 1), "hours"] == pytest.approx(10 * table.loc[(100, 1), "hours"])
    assert table.loc[(1000, 16), "hours"] < table.loc[(1000, 4), "hours"] < table.loc[(1000, 1), "hours"]
    assert (table["hours_low"] <= table["hours"]).all() and (table["hours"] <= table["hours_high"]).all()
    assert storage.default_file("arm_cortex_m7").endswith("arm_cortex_m7.db")
