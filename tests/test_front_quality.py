"""Hypervolume and knee against fronts that were worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.front_quality import Reference, hypervolume, knee, knee_distances, reference_point

TWO = (["accuracy"], ["latency_ms"])
FOUR = (["accuracy"], ["latency_ms", "energy_mj", "size_bytes"])


def points(*rows, columns=("accuracy", "latency_ms")):
    return pd.DataFrame(rows, columns=list(columns), dtype=float)


def test_staircase_worked_by_hand():
    """Box of 1.0 x 10 ms. Steps: 2 ms reach 0.2, 5 ms 0.6, 8 ms 0.9: 8 x 0.2 + 5 x 0.4 + 2 x 0.3 = 4.2 of 10."""
    stairs = points((0.2, 2), (0.6, 5), (0.9, 8), (0.5, 9))
    box = Reference({"accuracy": 1, "latency_ms": 0}, {"accuracy": 0, "latency_ms": 10})
    assert hypervolume(stairs, *TWO, box) == pytest.approx(0.42)
    assert hypervolume(stairs.head(0), *TWO, box) == 0
    assert hypervolume(points((0.9, 11)), *TWO, box) == 0, "beyond the reference point"


def test_units_do_not_matter():
    stairs = points((0.2, 2), (0.6, 5), (0.9, 8))
    seconds = stairs.assign(latency_ms=stairs["latency_ms"] / 1000)
    assert hypervolume(stairs, *TWO, reference_point(stairs, *TWO)) == pytest.approx(
        hypervolume(seconds, *TWO, reference_point(seconds, *TWO))
    )


def test_reference_point_lies_a_tenth_of_the_range_outside():
    box = reference_point(points((0.8, 10), (0.9, 30), (0.7, 20)), *TWO)
    assert box.best == pytest.approx({"accuracy": 0.9, "latency_ms": 10})
    assert box.worst == pytest.approx({"accuracy": 0.68, "latency_ms": 32})


def test_a_single_point_fills_its_box():
    one = points((0.8, 10))
    assert hypervolume(one, *TWO, reference_point(one, *TWO)) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=12), st.tuples(*[st.integers(0, 9)] * 4))
def test_one_more_point_never_shrinks_it_and_a_dominated_one_changes_nothing(rows, more):
    columns = ("accuracy", "latency_ms", "energy_mj", "size_bytes")
    table, more = points(*rows, columns=columns), points(more, columns=columns)
    both = pd.concat([table, more])
    box = reference_point(both, *FOUR)
    before, after = hypervolume(table, *FOUR, box), hypervolume(both, *FOUR, box)
    assert 0 <= before <= after + 1e-12 <= 1 + 1e-9
    worst = points((-1, 10, 10, 10), columns=columns)
    assert hypervolume(pd.concat([table, worst]), *FOUR, box) == pytest.approx(before)


def test_knee_of_an_l_is_its_corner():
    l_shape = points((1.0, 10), (0.97, 6), (0.95, 1), (0.4, 0.5), (0.0, 0))
    assert knee(l_shape, *TWO) == 2
    distances = knee_distances(l_shape, *TWO)
    assert distances[2] == pytest.approx((1 - 0.05 - 0.1) / np.sqrt(2))
    assert distances[[0, 4]] == pytest.approx([0, 0], abs=1e-12)


def test_knee_does_not_depend_on_units_or_order():
    l_shape = points((1.0, 10), (0.97, 6), (0.95, 1), (0.4, 0.5), (0.0, 0))
    seconds = l_shape.assign(latency_ms=l_shape["latency_ms"] / 1000)
    assert knee(seconds, *TWO) == 2
    assert l_shape.iloc[::-1].index[knee(l_shape.iloc[::-1], *TWO)] == 2


def test_fronts_that_do_not_bend_have_no_knee():
    assert knee(points().astype(float), *TWO) is None
    assert knee(points((0.9, 1)), *TWO) == 0, "nothing to trade"
    assert knee(points((0.9, 2), (0.8, 1)), *TWO) is None
    assert knee(points((0.9, 3), (0.8, 2), (0.7, 1)), *TWO) is None, "a straight line"
    assert knee(points((1.0, 10), (0.5, 9), (0.0, 0)), *TWO) is None, "it bulges outwards"
    assert knee(points((0.9, 1), (0.9, 1)), *TWO) is None, "twins"


def test_an_objective_said_twice_does_not_make_an_end_the_knee():
    """c is best in latency and in energy, which say the same; b is the bend."""
    table = points(
        (1.0, 10, 20, 10), (0.9, 3, 6, 3), (0.0, 1, 2, 1), columns=("accuracy", "latency_ms", "energy_mj", "size_bytes")
    )
    assert knee(table, *FOUR) == 1
    assert knee(table, *TWO) == 1


def test_bad_input_is_told_in_a_sentence():
    table = points((0.9, 1), (0.8, np.nan)).assign(variant=["a", "b"])
    with pytest.raises(UserError, match=r"'latency_ms' is nan in row 1 \(b\)"):
        reference_point(table, *TWO)
    with pytest.raises(UserError, match="'energy_mj' is no column"):
        knee(table, ["accuracy"], ["energy_mj"])
    with pytest.raises(UserError, match="the table is empty"):
        reference_point(table.head(0), *TWO)
    with pytest.raises(UserError, match="no 'energy_mj'"):
        hypervolume(table.assign(energy_mj=1.0), ["accuracy"], ["energy_mj"], reference_point(table.head(1), *TWO))
    with pytest.raises(UserError, match="not worse than the best"):
        hypervolume(table.head(1), *TWO, Reference({"accuracy": 0, "latency_ms": 0}, {"accuracy": 1, "latency_ms": 1}))
    with pytest.raises(UserError, match="maximised against what is minimised"):
        knee(table.head(1).assign(x=1.0, y=1.0), [], ["latency_ms", "x", "y"])
