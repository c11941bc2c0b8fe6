"""The five phases, the checks before a deployment, golden vectors, and the page that goes along with a model file."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from hwaware_utils.base.artifacts import sha256
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.decide import phases
from hwaware_utils.decide.deployment_sheet import deployment_sheet, without_headings, write_sheet
from hwaware_utils.decide.golden import golden, synthetic_input
from hwaware_utils.decide.methodology import HardwareAwareDesignMethodology
from hwaware_utils.decide.validation import OPEN, validate_deployment
from hwaware_utils.report.figures_decide import limit_staircase
from hwaware_utils.study.cifar10 import CIFAR10_CLASSES

REFERENCE = ROOT / "results" / "reference"
VARIANTS = pd.read_csv(REFERENCE / "variants.csv").set_index("variant")
SIMULATIONS = pd.read_csv(REFERENCE / "simulations.csv")
WORKLOADS = pd.read_csv(REFERENCE / "workloads.csv").query("variant == 'baseline-fp32'")
LIMITS = {"latency_ms": 200, "memory_mb": 0.6}


@pytest.fixture(scope="module")
def answer():
    return HardwareAwareDesignMethodology().recommend_configuration("arm_cortex_m7", "accuracy", LIMITS)


@pytest.fixture(scope="module")
def model(answer):
    return REFERENCE / VARIANTS.loc[answer.model, "model_file"]


def test_every_phase_leaves_a_table_with_evidence(answer):
    tables = {
        "constraints": phases.specify_constraints(answer),
        "profile": phases.profile_baseline(answer, WORKLOADS),
        "exploration": phases.explore_design_space(answer),
        "fronts": phases.analyse_fronts(answer),
        "validation": validate_deployment(answer, SIMULATIONS),
    }
    for name, table in tables.items():
        check_evidence(table, name)
        assert len(table), name
    wanted = tables["constraints"].set_index("constraint")
    assert wanted.loc["latency_ms", "limit"] == 200 and wanted.loc["device RAM", "limit"] == 512
    assert wanted.loc["latency_ms", "evidence"] == "assumed" and "DS12930" in wanted.loc["device RAM", "source"]
    assert tables["exploration"]["kept"].sum() == 1 + len(answer.runners_up) == len(tables["fronts"])
    assert (tables["exploration"]["kept"] == (tables["exploration"]["broken"] == "")).all()


def test_the_baseline_is_held_against_every_limit(answer):
    table = phases.profile_baseline(answer, WORKLOADS).set_index("quantity")
    stored = answer.candidates.set_index("variant").loc["baseline-fp32"]
    assert table.loc["latency", "times_limit"] == pytest.approx(stored["latency_ms_high"] / 200)
    assert 0 <= table.loc["compute-bound share", "value"] <= 1
    with pytest.raises(UserError, match="did you mean"):
        phases.profile_baseline(answer, WORKLOADS, "baseline-fp23")


def test_a_runner_up_behind_every_front_is_beaten_in_everything(answer):
    table = phases.analyse_fronts(answer)
    assert table.loc[table["chosen"], "variant"].tolist() == [answer.model]
    for row in table[table["n_fronts"] == 0].to_dict("records"):
        better = table[(table["accuracy"] >= row["accuracy"]) & (table["latency_ms"] <= row["latency_ms"])]
        assert len(better) > 1
    assert table["best_for"].str.contains("latency").sum() >= 1


def test_phases_speak_when_nothing_fits():
    nothing = HardwareAwareDesignMethodology().recommend_configuration("arm_cortex_m7", "latency", {"latency_ms": 1})
    assert phases.analyse_fronts(nothing).empty and not phases.explore_design_space(nothing)["kept"].any()
    assert validate_deployment(nothing, SIMULATIONS).empty
    with pytest.raises(UserError, match="Nothing fits"):
        nothing.must_fit()
    with pytest.raises(UserError, match="nothing to deploy"):
        deployment_sheet(nothing, REFERENCE / "any.tflite", [], "")


def test_the_choice_passes_what_can_be_checked_and_the_rest_is_open(answer, model):
    table = validate_deployment(answer, SIMULATIONS, model, sha256(model)).set_index("check")
    assert not (table["passed"] == "no").any()
    assert table.loc[list(OPEN), "passed"].eq("not validated").all()
    assert table.loc["outputs", "found"] == "100 equal" and table.loc["outputs", "evidence"] == "simulated"
    assert table.loc["model file", "passed"] == "yes"


def test_a_wrong_file_other_outputs_and_a_slow_simulation_fail_the_check(answer, model):
    own = SIMULATIONS[(SIMULATIONS["variant"] == answer.model) & (SIMULATIONS["platform"] == "arm_cortex_m7")]
    wrong = own.assign(outputs_bit_exact=99.0, max_abs_diff=1.0, latency_ms_high=201.0)
    table = validate_deployment(answer, wrong, model, "0" * 64).set_index("check")["passed"]
    assert table[["outputs", "simulated latency", "model file"]].eq("no").all()


def test_the_golden_input_is_the_formula_of_its_sheet():
    values = synthetic_input((1, 300), "int8").astype(int) + 128
    assert values.tolist() == [[(i * 2654435761 % 2**32) >> 24 for i in range(300)]]
    assert synthetic_input((1, 300), "float32").max() <= 1 and synthetic_input((1, 300), "float32").min() == -1
    with pytest.raises(UserError, match="int16"):
        synthetic_input((1, 3), "int16")


def test_reference_kernels_give_what_tflite_micro_gives(answer, model):
    pytest.importorskip("tflite_micro")
    from hwaware_utils.simulate.cortex_m.golden import reference_logits

    known = golden(model)
    assert known.reference.tolist() == reference_logits(model, synthetic_input(known.input.shape, "int8"))[0].tolist()
    assert golden(model).optimized.tolist() == known.optimized.tolist()
    assert known.steps <= 5 and np.argmax(known.reference) == np.argmax(known.optimized)


def test_the_sheet_says_what_whoever_flashes_it_needs(answer, model, tmp_path, monkeypatch):
    checks = validate_deployment(answer, SIMULATIONS, model, sha256(model))
    sheet = deployment_sheet(answer, model, list(CIFAR10_CLASSES), "CIFAR-10", checks)
    known = golden(model)
    for part in (
        *(sha256(model), model.name, "STM32H747I-DISCO", "STM32Cube.AI 10.0.0", f"scale {known.input.scale!r}"),
        *(f"zero point {known.input.zero_point}", f"zero point {known.output.zero_point}", "0 airplane", "9 truck"),
        *(f"{known.input_crc32:08x}", ", ".join(map(str, known.reference.tolist())), "latency at most 200 ms", "modelled"),
        *("not validated", "signed", f"{answer.choice['latency_ms_high']:.4g}"),
    ):
        assert part in sheet, part
    assert len(sheet.splitlines()) < 75, "longer than a page"
    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    path = write_sheet(sheet, answer, "any")
    assert path.read_text(encoding="utf-8") == sheet and path.name == f"arm_cortex_m7-{answer.model}.md"
    assert "\n#" not in without_headings(sheet)
    with pytest.raises(UserError, match="9 labels for a model with 10 outputs"):
        deployment_sheet(answer, model, list(CIFAR10_CLASSES)[:9], "CIFAR-10")


def test_a_float_model_is_fed_and_checked_in_floats():
    phone = HardwareAwareDesignMethodology(HardwareAwareDesignMethodology().configurations.query("precision == 'fp32'"))
    answer = phone.recommend_configuration("arm_cortex_a78", "latency")
    sheet = deployment_sheet(answer, REFERENCE / VARIANTS.loc[answer.model, "model_file"], list(CIFAR10_CLASSES), "CIFAR-10")
    assert "divided by 127.5, minus 1" in sheet and "LiteRT with XNNPACK" in sheet and "zero point" not in sheet
    simulated = validate_deployment(answer, SIMULATIONS).set_index("check")
    assert simulated.loc["outputs", "passed"] == "yes", "a float network's outputs may differ in the last bits"


def test_the_chart_of_a_limit_tells_its_steps(answer):
    from hwaware_utils.decide.sensitivity import staircase

    steps = staircase(answer, "latency_ms")
    told = limit_staircase(steps, 200.0).to_dict()["description"]
    assert all(name in told for name in steps["variant"]) and "dashed" in told
    with pytest.raises(UserError, match="nothing to draw"):
        limit_staircase(steps.head(0))
    with pytest.raises(UserError, match="did you mean 'latency_ms'"):
        staircase(answer, "latncy_ms")
    assert math.isclose(steps["value"].iloc[-1], 100 * answer.accuracy)
