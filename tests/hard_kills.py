"""A small project of two real notebooks under the real runner, killed at random moments: `python tests/hard_kills.py COUNT`."""

import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import papermill  # noqa: F401 (imported once, before the forks)

from hwaware_utils import run as runner
from hwaware_utils.base.errors import about_a_place
from hwaware_utils.base.schema_types import Common

NAMES = ("01_baseline", "02_optimizations")
CELLS = """\
import pandas as pd
from hwaware_utils.base.results import save_table, load_table
start = 3 if {first} else int(load_table("squares", profile, needs="01_baseline")["x"].sum())
save_table(pd.DataFrame({{"x": range(start, start + 500)}}).assign(evidence="modelled"), "{table}", profile)"""


def make_project(folder: Path) -> Path:
    """`folder` with two notebooks, the second of which reads the table of the first."""
    (folder / "notebooks").mkdir(parents=True)
    for name, table in zip(NAMES, ("squares", "cubes"), strict=True):
        parameters = nbformat.v4.new_code_cell('profile = "smoke"', metadata={"tags": ["parameters"]})
        cells = [nbformat.v4.new_code_cell(line) for line in CELLS.format(first=name == NAMES[0], table=table).split("\n")]
        notebook = nbformat.v4.new_notebook(cells=[parameters, *cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
    return folder


def run_project(project: Path, build: Path, said=None) -> None:
    """The runner on `project`, in a process of its own. `said`, a pipe, gets its sentences and at last its error."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.environ["HWAWARE_BUILD"] = str(build)
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    runner.ROOT, runner.REFERENCE, runner.NOTEBOOKS = project, project / "none", dict.fromkeys(NAMES, Common)
    lines = []
    try:
        runner.run(dict.fromkeys(NAMES, Common()), say=lines.append)
        error = ""
    except Exception as raised:
        error = (about_a_place(raised) if isinstance(raised, OSError) else str(raised)) or repr(raised)
    if said is not None:
        said.send((lines, error))


def run_to_the_end(project: Path, build: Path) -> tuple[list[str], str]:
    """What the runner said, and its error if it ended with one."""
    hears, tells = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = _started(project, build, tells)
    answer = hears.recv() if hears.poll(300) else ([], "hung")
    process.join(30)
    return answer


def tables(build: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((build / "smoke" / "results").glob("*"))}


def kill_at_random(count: int, seed: int = 7) -> dict:
    """`{"tried", "well", "failures"}`: runs killed at a random moment, after which the next one made the same tables.

    The last failing case is in `failures`. Kernels outlive a killed runner by a second or so; the next run does not wait.
    """
    chance, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="hwaware-kills-") as folder:
        project, start = make_project(Path(folder, "project")), time.monotonic()
        said, error = run_to_the_end(project, Path(folder, "whole"))
        seconds, whole = time.monotonic() - start, tables(Path(folder, "whole"))
        if error or len(whole) != 2:
            raise RuntimeError(f"the undisturbed run failed: {said} {error}")
        for number in range(count):
            build = Path(folder, str(number))
            process = _started(project, build)
            moment = chance.uniform(0, seconds)
            time.sleep(moment)
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            half = {name for name, content in tables(build).items() if whole.get(name) != content and ".part" not in name}
            said, error = run_to_the_end(project, build)
            visible = {name: content for name, content in tables(build).items() if not name.startswith(".")}
            if error or half or visible != whole:
                failures.append([number, round(moment, 2), error, sorted(half), sorted(visible)])
            print(f"kills: {number + 1} of {count}, {len(failures)} failed", file=sys.stderr, flush=True)
    return {"tried": count, "well": count - len(failures), "failures": failures}


def _started(project: Path, build: Path, said=None):
    process = multiprocessing.get_context("fork").Process(target=run_project, args=(project, build, said))
    process.start()
    return process


if __name__ == "__main__":
    print(json.dumps(kill_at_random(*map(int, sys.argv[1:]))))
