"""The batch runner: skips, resumes, refuses a second run, and never leaves half a notebook behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, command

from hwaware_utils import store
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.schema import NOTEBOOKS

pytestmark = pytest.mark.endtoend
ORDER = list(NOTEBOOKS)


def start(build, *arguments):
    environment = os.environ | {"HWAWARE_BUILD": str(build), "HWAWARE_DATA": "", "KERAS_HOME": str(build / "keras")}
    return subprocess.Popen(
        [sys.executable, "-m", "hwaware_utils", "run", "params/smoke.yaml", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def kernels_of(build):
    """Process folders of the kernels that work in this build folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables, line = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(build).encode() in variables and b"ipykernel" in line:
            found.append(process)
    return found


def wait_until(condition, seconds=60):
    for _ in range(seconds * 10):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited in vain")


def wait_until_it_shows(process, pattern):
    seen = ""
    while not re.search(pattern, seen):
        seen += process.stderr.read(1) or pytest.fail(f"ended without showing {pattern}: {seen[-300:]}")


def test_smoke_runs_all_notebooks_and_writes_the_tables(smoke_build):
    results = {path.stem for path in (smoke_build / "smoke" / "results").glob("*.csv")}
    assert {"variants", "latency", "training_log", "pareto", "recommendations", "configurations"} <= results
    assert len(list((smoke_build / "smoke" / "notebooks").glob("*.ipynb"))) == len(NOTEBOOKS)
    assert not list((smoke_build / "smoke").glob("running-*"))


def test_a_second_run_finds_everything_up_to_date(smoke_build):
    done = command("run", "params/smoke.yaml", build=smoke_build)
    assert done.returncode == 0
    assert done.stdout.count("up to date") == len(NOTEBOOKS)


def test_a_table_that_was_changed_by_hand_is_made_again_and_makes_the_successors_stale(copied_smoke):
    table = copied_smoke / "smoke" / "results" / "pareto.csv"
    whole = table.read_text()
    table.write_text(whole[:100])
    done = command("run", "params/smoke.yaml", "--only", "05", build=copied_smoke)
    assert done.returncode == 0, done.stderr
    assert "05_pareto: done" in done.stdout
    assert table.read_text() == whole
    successor = ORDER[ORDER.index("05_pareto") + 1]
    assert successor not in done.stdout  # --only
    done = command("run", "params/smoke.yaml", "--only", successor, build=copied_smoke)
    assert "stale" not in done.stdout  # 05 itself is up to date
    assert f"{successor}: done" in done.stdout


def test_a_killed_run_resumes_and_takes_nothing_half_written_for_whole(copied_smoke):
    folder, last = copied_smoke / "smoke", ORDER[-1]
    stamp, notebook = folder / "stamps" / f"{last}.json", folder / "notebooks" / f"{last}.ipynb"
    tables = [folder / name for name in json.loads(stamp.read_text())["files"] if name.endswith(".csv")]
    whole = [table.read_bytes() for table in tables]
    assert tables
    stamp.unlink()
    notebook.unlink()
    runner = start(copied_smoke)
    wait_until(lambda: kernels_of(copied_smoke))
    wait_until_it_shows(runner, rf"{last}: .* [1-9]\d*/\d+ \[")  # its progress bar: into the notebook
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    assert not notebook.exists()
    assert not stamp.exists()
    assert [table.read_bytes() for table in tables] == whole
    done = command("run", "params/smoke.yaml", build=copied_smoke)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("up to date") == len(NOTEBOOKS) - 1
    assert f"{last}: done" in done.stdout
    wait_until(lambda: not kernels_of(copied_smoke))  # no kernel outlives its runner


def test_two_runs_at_once_the_second_says_so_and_stops(copied_smoke):
    first = start(copied_smoke, "--only", "05", "--force")
    wait_until(lambda: kernels_of(copied_smoke))
    first.send_signal(signal.SIGSTOP)  # still there when the second one comes, however fast the machine is
    try:
        second = command("run", "params/smoke.yaml", build=copied_smoke)
    finally:
        first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert f"is being run already (process {first.pid})" in second.stderr
    said, told = first.communicate(timeout=300)
    assert first.returncode == 0, told
    assert "05_pareto: done" in said  # forced, though it was up to date
    assert ORDER[-1] not in said


def test_a_failing_cell_is_named_with_exit_code_1(copied_smoke):
    table = copied_smoke / "smoke" / "results" / "architectures.csv"
    table.write_text(table.read_text().replace("0", "1"))
    done = command("run", "params/smoke.yaml", "--only", "03", "--force", build=copied_smoke)
    assert done.returncode == 1
    assert "03_quantization.ipynb failed in cell" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_predecessor_that_has_not_run_is_named(tmp_path):
    done = command("run", "params/smoke.yaml", "--only", "05", build=tmp_path)
    assert done.returncode == 1
    assert "run notebooks/03_quantization.ipynb with this profile first" in done.stderr


def test_a_truncated_stored_model_is_refused_by_name(copied_smoke):
    model = next((copied_smoke / "smoke" / "models").glob("baseline-*.fp32.tflite"))
    model.write_bytes(model.read_bytes()[:1000])
    done = command("run", "params/smoke.yaml", "--only", "02", "--force", build=copied_smoke)
    assert done.returncode == 1
    assert model.name in done.stderr
    assert "is damaged" in done.stderr


def test_recorded_accuracies_are_never_stored_as_if_measured_here(reference_build, tmp_path, monkeypatch):
    monkeypatch.setenv("HWAWARE_BUILD", str(reference_build))
    monkeypatch.setattr(store, "REFERENCE", tmp_path)
    with pytest.raises(UserError, match="shows recorded accuracies"):
        store.store_reference("reference")
    assert not list(tmp_path.iterdir())


def test_the_reference_runs_without_data_and_shows_recorded_accuracies(reference_build):
    folder = reference_build / "reference"
    variants = (folder / "results" / "variants.csv").read_text()
    assert "recorded" in variants
    assert "CIFAR-10" in variants
    text = json.dumps(json.loads((folder / "notebooks" / "03_quantization.ipynb").read_text()))
    assert "Accuracies below are recorded, not measured." in text
