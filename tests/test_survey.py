"""The survey of simulators: run, recorded or not run with the reason; simulated beside modelled."""

import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT

from hwaware_utils.base.artifacts import sha256
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.simulate import survey
from hwaware_utils.simulate.summary import summary_row

VARIANTS = pd.DataFrame({"variant": ["tiny-int8_ptq", "tiny-dynamic"], "precision": ["int8_ptq", "dynamic"]})


class Ran:
    def __init__(self, variant):
        values = {"latency_ms_low": 1.0, "latency_ms_high": 4.0, "outputs_compared": 2, "outputs_bit_exact": 2}
        self.summary = summary_row(variant=variant, platform="arm_cortex_m7", evidence="simulated", **values)
        self.operators = pd.DataFrame({"index": [0], "instructions": [7], "evidence": "simulated"})


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A file that no simulator reads: they are replaced, and nothing is recorded yet."""
    path, recorded = tmp_path / "tiny.tflite", {}
    path.write_bytes(b"tiny")

    def broken(model, variant, inputs):
        raise UserError("the tool is missing: run `make simulators`.")

    monkeypatch.setitem(survey.SIMULATORS, "cortex_m7", (lambda model, variant, inputs: Ran(variant), ("int8_ptq",)))
    monkeypatch.setitem(survey.SIMULATORS, "cortex_a78", (broken, ("int8_ptq",)))
    monkeypatch.setattr(survey, "random_inputs", lambda model, n: n)
    monkeypatch.setattr(survey, "recorded_table", lambda name, checksum, origin: recorded.get((name, checksum)))
    return {name: path for name in VARIANTS["variant"]}, recorded


def test_what_cannot_run_says_why_and_the_others_run(stage):
    paths, _ = stage
    found = survey.survey(VARIANTS, paths, ["cortex_m7", "cortex_a78"], live=False)
    assert found.simulations[["variant", "on"]].to_numpy().tolist() == [["tiny-int8_ptq", "cortex_m7"]]
    assert found.details["operators"]["instructions"].tolist() == [7]
    assert found.not_run["why"].tolist() == ["the tool is missing: run `make simulators`."]
    check_evidence(found.simulations, "simulations")
    check_evidence(found.not_run, "simulations_not_run")
    assert found.details["caches"].empty


def test_a_recorded_row_is_shown_as_such_unless_live(stage):
    paths, recorded = stage
    checksum = sha256(paths["tiny-int8_ptq"])
    row = Ran("old name").summary.assign(on="cortex_m7", sha256=checksum, latency_ms_low=0.5)
    recorded["simulations", checksum] = row
    shown = survey.survey(VARIANTS, paths, ["cortex_m7"], live=False).simulations
    assert shown["evidence"].tolist() == ["recorded"] and shown["latency_ms_low"].tolist() == [0.5]
    assert shown["variant"].tolist() == ["tiny-int8_ptq"]
    again = survey.survey(VARIANTS, paths, ["cortex_m7"], live=True).simulations
    assert again["evidence"].tolist() == ["simulated"] and again["latency_ms_low"].tolist() == [1.0]


def test_simulated_beside_modelled_by_hand():
    simulations = Ran("tiny").summary
    latencies = pd.DataFrame(
        {"variant": ["tiny", "tiny"], "platform": ["arm_cortex_m7", "x86_host"], "latency_ms": [1.0, 9.0],
         "latency_ms_low": [0.5, 8.0], "latency_ms_high": [0.9, 10.0], "evidence": ["modelled", "measured"]}
    )  # fmt: skip
    row = survey.compare_with_model(simulations, latencies).iloc[0]
    assert row["ratio"] == pytest.approx(2.0)  # the geometric middle of 1 and 4 ms over 1 ms
    assert not row["overlap"]
    assert survey.compare_with_model(simulations, latencies.assign(latency_ms_high=1.0)).iloc[0]["overlap"]


def test_an_unknown_simulator_names_the_nearest():
    with pytest.raises(UserError, match="cortex_m7"):
        survey.run_simulator("cortex_m8", ROOT / "README.md")


@pytest.mark.parametrize(
    ("model", "on", "word"), [("no.tflite", "cortex_m7", "no.tflite"), ("README.md", "cortex_m7", "README.md")]
)
def test_the_command_refuses_in_one_sentence(model, on, word):
    line = [sys.executable, "-m", "hwaware_utils", "simulate", model, "--on", on]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and word in done.stderr and len(done.stderr.strip().splitlines()) == 1
