"""Recommendations: never one that breaks a hard constraint, always a reason for what was left out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.decide.configurations import assemble_configurations
from hwaware_utils.decide.methodology import OBJECTIVES, HardwareAwareDesignMethodology
from hwaware_utils.platforms.energy import estimate_energy
from hwaware_utils.platforms.latency import estimate_latencies
from hwaware_utils.platforms.mobilenet import mobilenet_tensors, mobilenet_workload
from hwaware_utils.platforms.survey import survey_memory

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

KIB = 1024


def configuration(variant, precision="int8_ptq", accuracy=0.9, latency=50.0, ram=138_240, size=600 * KIB, energy=10.0, **more):
    return {
        **{"variant": variant, "architecture": "memory", "precision": precision, "platform": "arm_cortex_m7"},
        **{"accuracy": accuracy, "latency_ms": latency, "latency_ms_low": latency * 0.8, "latency_ms_high": latency * 1.3},
        **{"ram_bytes": ram, "flash_bytes": size, "size_bytes": size, "energy_mj": energy, "evidence": "modelled", **more},
    }


TABLE = pd.DataFrame(
    [
        configuration("small", accuracy=0.85, latency=40, ram=100 * KIB, accuracy_evidence="recorded"),
        configuration("better", accuracy=0.90, latency=90, ram=240 * KIB, energy=20),
        configuration("dynamic", "dynamic", accuracy=0.95, ram=50 * KIB),
        configuration("huge", accuracy=0.97, latency=900, ram=1470 * KIB, size=3600 * KIB, energy=200),
        configuration("slow", accuracy=0.93, latency=160, ram=300 * KIB, energy=30),
    ]
)


def recommend(objective, table=TABLE, **constraints):
    return HardwareAwareDesignMethodology(table).recommend_configuration("arm_cortex_m7", objective, constraints)


def test_the_contract_of_the_design_is_answered():
    answer = HardwareAwareDesignMethodology(TABLE).recommend_configuration(
        platform="arm_cortex_m7", objective="memory", custom_constraints={"latency_ms": 200, "memory_mb": 0.6}
    )
    assert answer.choice["variant"] == "small"
    assert answer.evidence["accuracy"] == "recorded" and answer.evidence["latency_ms"] == "modelled"
    assert answer.runners_up["variant"].tolist() == ["better"]
    check_evidence(answer.to_frame(), "answer")
    assert "small" in answer.sentence() and "modelled" in answer.sentence()


def test_limits_are_held_against_the_pessimistic_end():
    answer = recommend("accuracy", latency_ms=200)
    assert answer.choice["variant"] == "better"
    slow = answer.rejections.query("variant == 'slow'").iloc[0]
    assert slow["constraint"] == "latency_ms" and slow["value"] == pytest.approx(208)
    assert slow["relative_excess"] == pytest.approx(0.04)


def test_the_device_itself_is_a_limit():
    answer = recommend("accuracy")
    broken = answer.rejections.groupby("variant")["constraint"].apply(set).to_dict()
    assert broken == {"huge": {"device RAM", "device flash"}, "dynamic": {"runtime"}}
    assert answer.choice["variant"] == "slow"


def test_each_objective_has_its_own_best():
    best = {objective: recommend(objective).choice["variant"] for objective in OBJECTIVES}
    assert best["latency"] == best["memory"] == best["energy"] == "small"
    assert best["accuracy"] == "slow"
    assert best["balanced"] in {"small", "better", "slow"}


def test_when_nothing_fits_the_nearest_miss_is_told():
    answer = recommend("latency", latency_ms=50, accuracy=0.8)
    assert answer.choice is None
    assert answer.nearest_miss["variant"] == "small" and answer.nearest_miss["relative_excess"] == pytest.approx(0.04)
    assert "Nothing fits" in answer.sentence() and "latency 52 ms is 2 ms (4.0 %) above" in answer.sentence()
    assert not answer.to_frame()["fits"].any()


def test_unknown_values_are_no_promise():
    table = TABLE.assign(energy_mj=np.where(TABLE["variant"] == "small", np.nan, TABLE["energy_mj"]))
    assert recommend("energy", table).choice["variant"] == "better"
    assert "objective" in recommend("energy", table).rejections["constraint"].tolist()
    answer = recommend("memory", table, energy_mj=100)
    assert "unknown" in answer.rejections.query("variant == 'small'")["sentence"].item()


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("arm_cortex_m8", "memory", {}), "arm_cortex_m7"),
        (("arm_cortex_m7", "memroy", {}), "memory"),
        (("arm_cortex_m7", "memory", {"latncy_ms": 5}), "latency_ms"),
        (("arm_cortex_m7", "memory", {"latency_ms": -5}), "0 or more"),
        (("arm_cortex_m7", "memory", {"latency_ms": float("nan")}), "0 or more"),
        (("arm_cortex_m7", "memory", {"accuracy": 90}), "fraction"),
        (("apple_m1", "memory", {}), "no configuration"),
    ],
)
def test_bad_input_is_told_in_words(arguments, pattern):
    with pytest.raises(UserError, match=pattern):
        HardwareAwareDesignMethodology(TABLE).recommend_configuration(*arguments)


def test_a_table_without_its_columns_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="ram_bytes"):
        HardwareAwareDesignMethodology(TABLE.drop(columns="ram_bytes"))
    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    with pytest.raises(UserError, match="05_pareto"):
        HardwareAwareDesignMethodology("smoke")


def test_tables_of_the_models_make_a_recommendation():
    network = ("mobilenet_v2", 0.35, 96, 10)
    variants = pd.DataFrame({"variant": ["full", "small"], "precision": ["fp32", "int8_ptq"], "accuracy": [0.9, 0.89]})
    variants = variants.assign(architecture="memory", size_bytes=[1_600_000, 600_000], evidence="recorded")
    workloads = {v: mobilenet_workload(*network, p) for v, p in zip(variants["variant"], variants["precision"], strict=True)}
    tensors = {v: mobilenet_tensors(*network, p) for v, p in zip(variants["variant"], variants["precision"], strict=True)}
    memories = survey_memory(variants, workloads, tensors, ["apple_m1", "arm_cortex_m7"])
    energies = estimate_energy(estimate_latencies(variants, workloads, ["apple_m1", "arm_cortex_m7"]))
    table = assemble_configurations(variants, energies, memories)
    assert len(table) == 4 and table["latency_ms_evidence"].eq("modelled").all()
    answer = HardwareAwareDesignMethodology(table).recommend_configuration("arm_cortex_m7", "accuracy")
    assert answer.choice["variant"] == "small" and answer.evidence["accuracy"] == "recorded"
    ram = memories.set_index(["variant", "platform"]).loc[("full", "arm_cortex_m7"), "ram_kib_high"]
    assert answer.rejections["constraint"].tolist() == ["device RAM"]  # the pessimistic end against the board's 512 KiB
    assert answer.rejections["excess"].item() == pytest.approx(ram - 512)
    assert HardwareAwareDesignMethodology(table).recommend_configuration("apple_m1", "accuracy").choice["variant"] == "full"
    with pytest.raises(UserError, match="small"):
        assemble_configurations(variants, energies, memories[memories["variant"] == "full"])


numbers = st.floats(0.01, 2000) | st.just(float("nan"))
rows = st.builds(
    configuration,
    st.uuids().map(str),
    st.sampled_from(["fp32", "fp16", "dynamic", "int8_ptq", "int8_qat", "mixed"]),
    st.floats(0, 1) | st.just(float("nan")),
    numbers,
    st.integers(1, 1024 * KIB),
    st.integers(1, 4096 * KIB),
    numbers,
)


@given(
    st.lists(rows, min_size=1, max_size=8),
    st.sampled_from(list(OBJECTIVES)),
    st.fixed_dictionaries(
        {}, optional={"latency_ms": st.floats(0, 2000), "memory_mb": st.floats(0, 1), "accuracy": st.floats(0, 1)}
    ),
)
def test_no_recommendation_breaks_a_hard_constraint(configurations, objective, limits):
    answer = recommend(objective, pd.DataFrame(configurations), **limits)
    chosen = [] if answer.choice is None else [answer.choice, *answer.runners_up.to_dict("records")]
    for row in chosen:
        assert row["ram_bytes"] <= 512 * KIB and row["flash_bytes"] <= 2048 * KIB
        assert row["precision"] in {"fp32", "int8_ptq", "int8_qat"}
        assert "latency_ms" not in limits or row["latency_ms_high"] <= limits["latency_ms"]
        assert "memory_mb" not in limits or row["ram_bytes"] <= limits["memory_mb"] * 1e6
        assert "accuracy" not in limits or row["accuracy"] >= limits["accuracy"]
    told = {row["variant"] for row in chosen} | set(answer.rejections["variant"])
    assert told == {row["variant"] for row in configurations}
    assert answer.sentence()
