"""The arena planner: nothing that lives at once overlaps, and known networks get their known arenas."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms.memory import arena_bytes, estimate_memory, fits, live_bytes, plan_arena
from hwaware_utils.platforms.mobilenet import mobilenet_tensors

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")


def tensors(rows) -> pd.DataFrame:
    table = pd.DataFrame([(b, min(s, e), max(s, e)) for b, s, e in rows], columns=["bytes", "first", "last"])
    return table.assign(tensor=table.index, evidence="modelled")


tables = st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20).map(tensors)


@given(tables)
def test_no_two_living_tensors_overlap(table):
    plan = plan_arena(table).to_dict("records")
    for i, a in enumerate(plan):
        assert a["offset_bytes"] % 16 == 0 and a["offset_bytes"] >= 0
        for b in plan[:i]:
            together = a["first"] <= b["last"] and b["first"] <= a["last"]
            apart = a["offset_bytes"] + a["bytes"] <= b["offset_bytes"] or b["offset_bytes"] + b["bytes"] <= a["offset_bytes"]
            assert apart or not together


@given(tables)
def test_arena_is_between_what_lives_and_the_sum(table):
    plan = plan_arena(table)
    assert live_bytes(table)["live_bytes"].max() <= arena_bytes(table) <= plan["aligned_bytes"].sum()


def test_mobilenet_gets_the_arena_of_tflite_micro():
    small = estimate_memory(mobilenet_tensors("mobilenet_v2", 0.35, 96, 10, "int8"))
    assert small["arena_bytes"] == small["live_bytes_max"] == 138_240
    assert arena_bytes(mobilenet_tensors("mobilenet_v2", 0.35, 128, 5, "int8")) == 240 * 1024


def test_arena_of_a_chain_by_hand():
    # 100 -> 200 -> 50 bytes: only neighbours live together, so 112 + 208 = 320
    assert arena_bytes(tensors([(100, 0, 0), (200, 0, 1), (50, 1, 1)])) == 320
    check_evidence(live_bytes(tensors([(100, 0, 0)])), "live")


def test_an_index_of_any_kind_will_do():
    table = tensors([(100, 0, 0), (200, 0, 1), (50, 1, 1)])
    assert arena_bytes(table.set_axis([7, 3, 5])) == arena_bytes(table)
    assert arena_bytes(table.iloc[:0]) == 0


def test_fits_says_by_how_much_it_does_not():
    assert fits("arm_cortex_m7", 138_240, 600_000) == (True, "")
    assert fits("arm_cortex_m7", 512 * 1024, 2048 * 1024) == (True, "")
    good, why = fits("arm_cortex_m7", 512 * 1024 + 1, 3_000_000)
    assert not good and "RAM" in why and "flash" in why
    assert "88 KiB (17 %)" in fits("arm_cortex_m7", 600 * 1024, 1)[1]
    assert fits("apple_m1", 10**8, 10**8) == (True, "")
    with pytest.raises(UserError, match="no size"):
        fits("arm_cortex_m7", float("nan"), 1)
