"""The notebooks: their anatomy, and the ways in which people run them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

from hwaware_utils.base import schema

PAPERMILL = str(Path(sys.executable).with_name("papermill"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells_of(path, kind="code"):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def environment(build):
    return os.environ | {"HWAWARE_BUILD": str(build), "HWAWARE_HEADLESS": "1"}


def test_each_chapter_is_run_and_stands_in_the_book():
    toc = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text())
    assert {f"notebooks/{path.stem}" for path in NOTEBOOKS} == {f"notebooks/{name}" for name in schema.NOTEBOOKS} <= set(toc)
    assert {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")} <= set(toc)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
class TestAnatomy:
    def test_it_is_short(self, path):
        code = cells_of(path)
        assert len(code) + len(cells_of(path, "markdown")) <= 30
        lines = [len(cell.source.splitlines()) for cell in code if "parameters" not in tags(cell)]
        assert max(lines) <= 15
        assert sorted(lines)[len(lines) // 2] <= 8

    def test_it_has_parameters_facts_checks_and_a_run_card(self, path):
        code = cells_of(path)
        assert sum("parameters" in tags(cell) for cell in code) == 1
        assert sum({"nbval-check-output", "keep_output"} <= tags(cell) for cell in code) == 1
        assert any("assert" in cell.source for cell in code)
        assert "run_card" in code[-1].source
        titles = [line for cell in cells_of(path, "markdown") for line in cell.source.splitlines() if line.startswith("#")]
        assert {"## Checks", "## Facts", "## Takeaways, limits, next"} <= set(titles)

    def test_it_is_stripped_but_for_its_fact_cell(self, path):
        for cell in cells_of(path):
            if "keep_output" in tags(cell):
                # nbval compares nothing where the execution count is null
                assert cell.outputs
                assert cell.execution_count
            else:
                assert not cell.outputs

    def test_it_holds_no_code_that_belongs_into_the_package(self, path):
        for cell in cells_of(path):
            assert not any(line.startswith(("def ", "class ", "!", "%")) for line in cell.source.splitlines())
            assert "filterwarnings" not in cell.source
            assert "../" not in cell.source

    def test_every_chart_has_a_caption_and_a_name(self, path):
        for cell in cells_of(path):
            if any(line.startswith("figures.") for line in cell.source.splitlines()):
                figure = cell.metadata["mystnb"]["figure"]
                assert figure["caption"]
                assert figure["name"].startswith(f"fig-{path.stem[:2]}-")

    def test_no_result_is_typed_into_its_prose(self, path):
        for cell in cells_of(path, "markdown"):
            prose = re.sub(r"\{[^}]*\}`[^`]*`|`[^`]*`|\$\$.*?\$\$", "", cell.source, flags=re.S)
            numbers = re.findall(r"\d+(?:\.\d+)?\s*(?:%|ms\b|KiB|MB|points|million)", prose)
            # settings that the code fixes, not results
            allowed = {"95 %", "15 %", "90 %", "10 %"}
            assert set(numbers) <= allowed, numbers


@pytest.mark.endtoend
def test_nbval_compares_the_facts_of_every_notebook(copied_smoke):
    done = nbval("notebooks", copied_smoke)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "failed" not in done.stdout


@pytest.mark.endtoend
def test_nbval_sees_a_changed_fact(copied_smoke, tmp_path):
    notebook = nbformat.read(ROOT / "notebooks" / "05_pareto.ipynb", as_version=4)
    fact = next(cell for cell in notebook.cells if "nbval-check-output" in tags(cell))
    fact.outputs[0]["text"] = fact.outputs[0]["text"].replace("True", "False")
    nbformat.write(notebook, tmp_path / "05_pareto.ipynb")
    done = nbval(tmp_path / "05_pareto.ipynb", copied_smoke)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


def nbval(target, build):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env",
         "--nbval-cell-timeout=600", "-o", "addopts=", "-o", "timeout=900", str(target)],
        cwd=ROOT, env=environment(build), capture_output=True, text=True, timeout=900,
    )  # fmt: skip


@pytest.mark.endtoend
def test_papermill_by_hand_takes_a_profile_file(copied_smoke, tmp_path):
    done = subprocess.run(
        [PAPERMILL, "notebooks/05_pareto.ipynb", str(tmp_path / "out.ipynb"), "-f", "params/smoke.yaml"],
        cwd=ROOT, env=environment(copied_smoke), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    out = json.loads((tmp_path / "out.ipynb").read_text())
    assert any("injected-parameters" in cell["metadata"].get("tags", []) for cell in out["cells"])


@pytest.mark.endtoend
def test_a_notebook_opened_by_hand_says_which_one_to_run_first(tmp_path):
    done = subprocess.run(
        [PAPERMILL, "notebooks/02_optimizations.ipynb", str(tmp_path / "out.ipynb")],
        cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode != 0
    assert "run notebooks/01_baseline.ipynb" in done.stderr
