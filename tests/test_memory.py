"""The arena planner: nothing that lives at once overlaps unless it is meant to, and known networks get known arenas."""

from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms.memory import arena_bytes, estimate_memory, fits, live_bytes, memory_timeline, plan_arena
from hwaware_utils.platforms.mobilenet import mobilenet_tensors, mobilenet_workload
from hwaware_utils.report import figures
from hwaware_utils.workload import lifetimes

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

EVERYTHING = {"ADD": 1, "DEPTHWISE_CONV_2D": 1, "POINTWISE": 2, "CONV_2D": 6}


def tensors(rows) -> pd.DataFrame:
    table = pd.DataFrame([(b, min(s, e), max(s, e)) for b, s, e in rows], columns=["bytes", "first", "last"])
    return table.assign(tensor=table.index, evidence="modelled")


tables = st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20).map(tensors)


def graph(image: int, steps: list) -> SimpleNamespace:
    """A graph of (kind, sources, bytes of the output) by hand; tensor 0 is the input, operator k writes tensor k + 1."""
    rows = [
        {"operator": "CONV_2D" if kind == "POINTWISE" else kind, "kernel": (1, 1) if kind == "POINTWISE" else (3, 3)}
        | {"name": f"{kind.lower()}_{k}", "inputs": tuple(dict.fromkeys(sources)), "outputs": (k + 1,)}
        for k, (kind, sources, _) in enumerate(steps)
    ]
    shapes = {t: ((size,), "INT8") for t, size in enumerate([image, *(size for _, _, size in steps)])}
    operators = pd.DataFrame(rows)
    return SimpleNamespace(operators=operators, tensors=lifetimes(operators, shapes, [0], [len(steps)]))


@st.composite
def graphs(draw):
    steps = []
    for k in range(draw(st.integers(1, 10))):
        sources = draw(st.lists(st.integers(max(0, k - 3), k), min_size=1, max_size=2))
        steps.append((draw(st.sampled_from([*EVERYTHING, "MEAN"])), sources, draw(st.integers(1, 5000))))
    return graph(draw(st.integers(1, 5000)), steps)


def overlaps(a: dict, b: dict) -> bool:
    return a["offset_bytes"] < b["offset_bytes"] + b["bytes"] and b["offset_bytes"] < a["offset_bytes"] + a["bytes"]


@given(tables)
def test_no_two_living_tensors_overlap(table):
    plan = plan_arena(table).to_dict("records")
    for i, a in enumerate(plan):
        assert a["offset_bytes"] % 16 == 0 and a["offset_bytes"] >= 0 and a["in_place"] == -1
        for b in plan[:i]:
            together = a["first"] <= b["last"] and b["first"] <= a["last"]
            assert not (together and overlaps(a, b))


@given(graphs())
def test_only_a_tensor_in_place_overlaps_and_only_what_it_replaces(made):
    plan = plan_arena(made.tensors, made.operators, EVERYTHING).to_dict("records")
    for i, a in enumerate(plan):
        for b in plan[:i]:
            if a["first"] <= b["last"] and b["first"] <= a["last"] and overlaps(a, b):
                assert a["in_place"] == b["tensor"] and a["offset_bytes"] == b["offset_bytes"]
                assert a["first"] == b["last"], "the input is read again after it was overwritten"


@given(graphs())
def test_in_place_never_costs_memory_and_stays_above_what_lives(made):
    arena = arena_bytes(made.tensors, made.operators, EVERYTHING)
    alive = live_bytes(made.tensors, made.operators, EVERYTHING)["live_bytes"]
    apart = live_bytes(made.tensors)["live_bytes"]
    assert alive.max() <= arena <= arena_bytes(made.tensors)
    assert (alive <= apart).all()
    assert plan_arena(made.tensors)["aligned_bytes"].max() <= arena


@given(graphs())
def test_timeline_adds_up_to_what_lives(made):
    for growth in ({}, EVERYTHING):
        table = memory_timeline(made.operators, made.tensors, growth)
        alive = live_bytes(made.tensors, made.operators, growth)["live_bytes"].tolist()
        assert table.groupby("index")["part_bytes"].sum().tolist() == alive
        assert (table["part_bytes"] >= 0).all()


@given(tables, st.integers(0, 9), st.integers(0, 9))
def test_one_more_tensor_never_shrinks_the_arena(table, first, last):
    # The planner is greedy: only the last that it places, the smallest, is sure to find the others where they were.
    small = tensors([*table[["bytes", "first", "last"]].itertuples(index=False), (1, first, last)])
    assert arena_bytes(small) >= arena_bytes(table)
    assert live_bytes(small)["live_bytes"].max() >= live_bytes(table)["live_bytes"].max()


@given(tables)
def test_arena_is_between_what_lives_and_the_sum(table):
    plan = plan_arena(table)
    assert live_bytes(table)["live_bytes"].max() <= arena_bytes(table) <= plan["aligned_bytes"].sum()


def test_arena_of_a_chain_by_hand():
    # 100 -> 200 -> 50 bytes: only neighbours live together, so 112 + 208 = 320
    assert arena_bytes(tensors([(100, 0, 0), (200, 0, 1), (50, 1, 1)])) == 320
    check_evidence(live_bytes(tensors([(100, 0, 0)])), "live")


def test_in_place_by_hand():
    # MobileNetV1's beginning: 64 -depthwise-> 64 -pointwise-> 128. Side by side 64 + 128; in place only the largest
    chain = graph(64, [("DEPTHWISE_CONV_2D", [0], 64), ("POINTWISE", [1], 128)])
    assert arena_bytes(chain.tensors) == 192
    assert arena_bytes(chain.tensors, chain.operators, {"DEPTHWISE_CONV_2D": 1, "POINTWISE": 2}) == 128
    assert arena_bytes(chain.tensors, chain.operators, {"DEPTHWISE_CONV_2D": 1, "POINTWISE": 1}) == 192


def test_in_place_in_an_inverted_residual_by_hand():
    # 64 expands to 384 while it is held for the addition: 448. Side by side the depthwise convolution needs 64 + 2 * 384
    steps = [("POINTWISE", [0], 384), ("DEPTHWISE_CONV_2D", [1], 384), ("POINTWISE", [2], 64), ("ADD", [0, 3], 64)]
    block = graph(64, steps)
    assert arena_bytes(block.tensors) == 832
    assert live_bytes(block.tensors, block.operators, EVERYTHING)["live_bytes"].tolist() == [448, 448, 448, 128]
    assert arena_bytes(block.tensors, block.operators, EVERYTHING) == 448
    plan = plan_arena(block.tensors, block.operators, EVERYTHING).set_index("tensor")
    assert plan.loc[2, "in_place"] == 1 and plan.loc[1, "in_place"] == -1, "the input is read again by the addition"


def test_mobilenet_gets_the_arena_of_tflite_micro():
    small = estimate_memory(mobilenet_tensors("mobilenet_v2", 0.35, 96, 10, "int8"))
    assert small["arena_bytes"] == small["live_bytes_max"] == 138_240
    assert arena_bytes(mobilenet_tensors("mobilenet_v2", 0.35, 128, 5, "int8")) == 240 * 1024


def test_an_index_of_any_kind_will_do():
    table = tensors([(100, 0, 0), (200, 0, 1), (50, 1, 1)])
    assert arena_bytes(table.set_axis([7, 3, 5])) == arena_bytes(table)
    assert arena_bytes(table.iloc[:0]) == 0
    chain = graph(64, [("DEPTHWISE_CONV_2D", [0], 64), ("POINTWISE", [1], 128)])
    turned = chain.tensors.iloc[::-1].set_axis([9, 9, 9])
    assert arena_bytes(turned, chain.operators, EVERYTHING) == 128
    assert arena_bytes(chain.tensors.iloc[:0], chain.operators.iloc[:0], EVERYTHING) == 0


def test_timeline_is_drawn_with_its_peak():
    network = ("mobilenet_v2", 0.35, 128, 10, "int8")
    table = memory_timeline(mobilenet_workload(*network), mobilenet_tensors(*network), EVERYTHING)
    check_evidence(table, "timeline")
    described = figures.memory_timeline(table, limit_kib=512).to_dict()["description"]
    assert "224 KiB, at operator 3" in described and "512 KiB" in described
    assert (
        "240 KiB"
        in figures.memory_timeline(memory_timeline(mobilenet_workload(*network), mobilenet_tensors(*network))).description
    )


def test_fits_says_by_how_much_it_does_not():
    assert fits("arm_cortex_m7", 138_240, 600_000) == (True, "")
    assert fits("arm_cortex_m7", 512 * 1024, 2048 * 1024) == (True, "")
    good, why = fits("arm_cortex_m7", 512 * 1024 + 1, 3_000_000)
    assert not good and "RAM" in why and "flash" in why
    assert "88 KiB (17 %)" in fits("arm_cortex_m7", 600 * 1024, 1)[1]
    assert fits("apple_m1", 10**8, 10**8) == (True, "")
    with pytest.raises(UserError, match="no size"):
        fits("arm_cortex_m7", float("nan"), 1)
