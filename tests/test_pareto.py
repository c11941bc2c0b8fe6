"""Non-dominated sorting against its definition, written out by brute force."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.pareto import fronts

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
