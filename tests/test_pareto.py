"""Non-dominated sorting against its definition, written out by brute force."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.pareto import fronts, non_dominated

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

value = st.one_of(st.integers(0, 4).map(float), st.just(float("nan")))
tables = st.lists(st.tuples(value, value, value), min_size=1, max_size=25).map(
    lambda rows: pd.DataFrame(rows, columns=["accuracy", "latency_ms", "size_bytes"]).assign(
        variant=[f"v{i}" for i in range(len(rows))]
    )
)


def dominates(a, b, maximise, minimise) -> bool:
    pairs = [(-a[c], -b[c]) for c in maximise] + [(a[c], b[c]) for c in minimise]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


@pytest.mark.parametrize("minimise", [[], ["latency_ms"], ["latency_ms", "size_bytes"]])
@given(table=tables)
def test_front_is_what_nothing_dominates(table, minimise):
    result = fronts(table, ["accuracy"], minimise)
    whole = table[["accuracy", *minimise]].notna().all(axis=1)
    assert (result["comparable"] == whole).all()
    rows = {r["variant"]: r for r in table[whole].to_dict("records")}
    for row in result.to_dict("records"):
        beaten = row["variant"] in rows and any(dominates(o, row, ["accuracy"], minimise) for o in rows.values())
        assert row["on_front"] == (row["variant"] in rows and not beaten)
        assert bool(row["dominated_by"]) == beaten
        if beaten:
            assert dominates(rows[row["dominated_by"]], row, ["accuracy"], minimise)
            assert result.set_index("variant").loc[row["dominated_by"], "on_front"], "named a dominated one"
    assert (non_dominated(table, ["accuracy"], minimise) == result["on_front"]).all()


def test_duplicates_stay_together_and_missing_values_stay_out():
    table = pd.DataFrame({"variant": list("abcd"), "accuracy": [0.9, 0.9, 0.8, np.nan], "latency_ms": [1.0, 1.0, 2.0, 0.1]})
    result = fronts(table.set_axis([9, 9, 4, 1]), ["accuracy"], ["latency_ms"])
    assert result["on_front"].tolist() == [True, True, False, False]
    assert result["dominated_by"].tolist() == ["", "", "a", ""]
    assert result["comparable"].tolist() == [True, True, True, False]
    assert result["front"].tolist()[:3] == [0, 0, 1]


def test_groups_are_sorted_by_themselves():
    table = pd.DataFrame({"variant": list("ab"), "platform": ["x", "y"], "accuracy": [0.9, 0.8], "latency_ms": [1.0, 2.0]})
    assert fronts(table, ["accuracy"], ["latency_ms"])["on_front"].tolist() == [True, False]
    assert fronts(table, ["accuracy"], ["latency_ms"], group=["platform"])["on_front"].all()


def test_missing_objectives_are_named():
    table = pd.DataFrame({"variant": ["a"], "accuracy": [0.9], "latency_ms": ["fast"]})
    with pytest.raises(UserError, match="energy_mj"):
        fronts(table, ["accuracy"], ["energy_mj"])
    with pytest.raises(UserError, match="not numeric"):
        fronts(table, ["accuracy"], ["latency_ms"])
    with pytest.raises(UserError, match="no objective"):
        fronts(table, [], [])
    assert fronts(table.iloc[:0], ["accuracy"], []).empty


def test_the_best_all_rounder_is_named():
    """Both a and b dominate c; scaled to their ranges a costs 0 + 0.5 and b 0.5 + 0, and d, best of all, 0.1 + 0.1."""
    table = pd.DataFrame({"variant": list("abdc"), "x": [0.0, 0.5, 0.1, 1.0], "y": [5.0, 0.0, 1.0, 10.0]})
    assert fronts(table, [], ["x", "y"])["dominated_by"].tolist() == ["", "", "", "d"]


def test_layers_of_a_hand_worked_table():
    table = pd.DataFrame({"variant": list("abcde"), "accuracy": [0.9, 0.8, 0.8, 0.7, 0.6], "latency_ms": [3, 1, 2, 2, 3]})
    assert fronts(table, ["accuracy"], ["latency_ms"])["front"].tolist() == [0, 0, 1, 2, 3]


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_a_front_of_four_objectives_does_not_depend_on_the_order_of_the_rows(seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.integers(0, 4, (60, 4)).astype(float), columns=list("wxyz"))
    table = table.assign(variant=[f"v{i}" for i in range(60)])
    shuffled = table.sample(frac=1, random_state=seed)
    first = fronts(table, ["w"], ["x", "y", "z"]).set_index("variant")
    again = fronts(shuffled, ["w"], ["x", "y", "z"]).set_index("variant").loc[first.index]
    assert (first[["on_front", "front"]] == again[["on_front", "front"]]).all(axis=None)


def test_the_mask_alone_costs_less_than_the_whole_answer():
    """Prints the times of 10,000 x 4; only their order is asserted: the machine may be busy."""
    table = pd.DataFrame(np.random.default_rng(0).random((10_000, 4)), columns=list("wxyz"))
    table = table.assign(variant=np.arange(10_000).astype(str))
    times = {}
    for ask, repeats in ((non_dominated, 15), (fronts, 3)):
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            ask(table, ["w"], ["x", "y", "z"])
            taken.append(1e3 * (time.perf_counter() - started))
        times[ask.__name__] = min(taken)
    print({name: f"{ms:.2f} ms" for name, ms in times.items()})
    assert times["non_dominated"] < times["fronts"]
