"""The predictor's contract: one case, a file, a batch; bad rows are named and the others are answered."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.platforms import predict
from hwaware_utils.platforms.specs import list_platforms
from hwaware_utils.workload import load_workload

GOOD = {"platform": "arm_cortex_m7", "family": "mobilenet_v2", "alpha": 0.35, "resolution": 128, "classes": 5}
GOOD |= {"precision": "int8", "threads": 1}
CONTRACT = [
    "latency_ms",
    "latency_ms_low",
    "latency_ms_high",
    "ram_kib",
    "flash_kib",
    "energy_mj",
    "fits",
    "why_not",
    "evidence",
]


def command(*arguments):
    line = [sys.executable, "-m", "hwaware_utils", "predict", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)


def options(case):
    return [text for name, value in case.items() for text in (f"--{name}", value)]


def test_one_case_answers_the_contract():
    done = command(*options(GOOD), "--json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert set(CONTRACT) <= set(row) and row["evidence"] == "modelled"
    assert row["latency_ms_low"] < row["latency_ms"] < row["latency_ms_high"]
    assert row["fits"] is True and row["why_not"] == ""


def test_a_model_too_large_says_by_how_much():
    row = predict.predict_mobilenet(**GOOD | {"alpha": 1.0, "resolution": 224, "classes": 1000})
    assert row["fits"] is False and "KiB" in row["why_not"] and row["latency_ms"] > 0


@pytest.mark.parametrize("platform", list_platforms())
def test_every_platform_answers(platform):
    row = predict.predict_mobilenet(**GOOD | {"platform": platform})
    assert 0 < row["latency_ms_low"] <= row["latency_ms"] <= row["latency_ms_high"]
    assert 0 < row["energy_mj_low"] <= row["energy_mj"] <= row["energy_mj_high"]
    assert row["ram_kib"] > 0 and row["flash_kib"] > 0


def test_a_file_is_predicted_in_its_own_format():
    stored = pd.read_csv(REFERENCE / "variants.csv")
    kept = [row for row in stored.itertuples() if (REFERENCE / row.model_file).is_file()]
    assert kept
    for row in kept:
        expected = row.precision.split("_")[0]
        assert predict.detect_precision(load_workload(REFERENCE / row.model_file)) == expected
    answer = predict.predict_file("arm_cortex_m7", REFERENCE / kept[0].model_file)
    assert answer["model"] == kept[0].model_file and answer["flash_kib"] > 0


def test_what_the_runtime_does_not_run_is_an_answer():
    row = predict.predict_mobilenet(**GOOD | {"precision": "dynamic"})
    assert row["fits"] is False and "does not run dynamic" in row["why_not"] and "latency_ms" not in row


def test_bad_rows_are_named_and_the_others_answered(tmp_path):
    bad = [
        {"platform": "apple_m2"},
        {"alpha": "wide"},
        {"alpha": 9},
        {"resolution": 128.5},
        {"threads": 0},
        {"precision": "int9"},
    ]
    cases = pd.DataFrame([GOOD, *[GOOD | change for change in bad], GOOD | {"family": "resnet"}, GOOD])
    cases.to_csv(tmp_path / "cases.csv", index=False)
    done = command("--batch", tmp_path / "cases.csv", "--out", tmp_path / "out.csv")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert [line.split(":")[0] for line in lines] == [f"row {n}" for n in range(3, 10)]
    for line, word in zip(lines, ["apple_m1", "alpha", "alpha", "resolution", "threads", "int8", "family"], strict=True):
        assert word in line
    out = pd.read_csv(tmp_path / "out.csv")
    assert len(out) == len(cases) and set(CONTRACT) <= set(out)
    assert out["latency_ms"].notna().tolist() == [True, *[False] * 7, True]
    assert out["latency_ms"].iloc[0] == out["latency_ms"].iloc[-1]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_batch_keeps_its_other_columns():
    answers, refused = predict.predict_batch(pd.DataFrame([GOOD]).assign(published_ms=94.34))
    assert refused == [] and answers["published_ms"].tolist() == [94.34]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--platform", "apple_m"], "apple_m1"),
        (["--platform", "apple_m1", "--alpha", "-1"], "alpha"),
        (["--platform", "apple_m1", "--resolution", "8"], "resolution"),
        (["--platform", "apple_m1", "--model", "missing.tflite"], "missing.tflite"),
        (["--platform", "apple_m1", "--model", "README.md"], "README.md"),
        ([], "--platform"),
        (["--batch", "missing.csv", "--out", "out.csv"], "missing.csv"),
        (["--batch", "README.md"], "--out"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, word):
    done = command(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert word in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_missing_column_is_named():
    with pytest.raises(UserError, match="threads"):
        predict.predict_batch(pd.DataFrame([GOOD]).drop(columns="threads"))
