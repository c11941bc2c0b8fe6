"""The batch runner: a profile's notebooks through papermill, in order, each written whole or not at all.

A notebook is up to date when its source, its parameters, the package, the stored artifacts and the run of its
predecessor are what they were. Its stamp is written last, so whatever interrupts a run, the next one resumes.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
import warnings
from pathlib import Path

from .base.errors import UserError
from .base.params import NOTEBOOKS, Common, nearest
from .base.results import ROOT, build_dir, written_whole


class NotebookFailed(Exception):
    """A cell raised: the message names the notebook and the cell."""


def run(models: dict[str, Common], only: str = "", force: bool = False, say=print) -> None:
    """Execute the notebooks of a checked profile that are not up to date.

    Raises UserError when another run of the profile is going on or `only` names no notebook, NotebookFailed when
    a cell raises.
    """
    profile = models["01_baseline"].profile
    chosen = _chosen(only)
    folder = build_dir(profile)
    with _locked(folder, profile):
        before = ""
        for number, (name, parameters) in enumerate(models.items(), 1):
            stamp_file = folder / "stamps" / f"{name}.json"
            key = _key(name, parameters, before)
            stamp = _read_stamp(stamp_file)
            label = f"[{number}/{len(models)}] {name}"
            if name not in chosen:
                before = stamp.get("run", "")
            elif stamp.get("key") == key and (folder / "notebooks" / f"{name}.ipynb").is_file() and not force:
                say(f"{label}: up to date")
                before = stamp["run"]
            else:
                start = time.perf_counter()
                stamp_file.unlink(missing_ok=True)
                _execute(name, parameters, folder, label)
                before = f"{time.time_ns()}-{os.getpid()}"
                with written_whole(stamp_file) as path:
                    path.write_text(json.dumps({"key": key, "run": before}))
                say(f"{label}: done in {time.perf_counter() - start:.0f} s")


def _chosen(only: str) -> set[str]:
    if not only:
        return set(NOTEBOOKS)
    chosen = {name for name in NOTEBOOKS if name == only or name.split("_")[0] == only.zfill(2)}
    if not chosen:
        raise UserError(
            f"--only {only!r} names no notebook{nearest(only, NOTEBOOKS)}: give 01 to {len(NOTEBOOKS):02d} or a name."
        )
    return chosen


@contextlib.contextmanager
def _locked(folder: Path, profile: str):
    """One run of a profile at a time. The lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise UserError(f"profile {profile!r} is being run already (process {owner}): wait for it, or stop it.") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _read_stamp(path: Path) -> dict:
    try:
        stamp = json.loads(path.read_text())
        return stamp if isinstance(stamp, dict) else {}
    except (OSError, ValueError):
        return {}


def _key(name: str, parameters: Common, before: str) -> str:
    """Hash of everything that the outcome of notebook `name` depends on; `before` is the run of its predecessor."""
    digest = hashlib.sha256()
    sources = [ROOT / "notebooks" / f"{name}.ipynb", *sorted((ROOT / "hwaware_utils").rglob("*.py"))]
    sources += [*sorted((ROOT / "params").glob("*/*.yaml")), *sorted((ROOT / "params").glob("*.csv"))]
    sources += sorted((ROOT / "results" / "reference").rglob("manifest.json"))
    for path in sources:
        digest.update(path.read_bytes())
    places = [os.environ.get(variable, "") for variable in ("HWAWARE_DATA", "HWAWARE_WEIGHTS")]
    digest.update(json.dumps([parameters.model_dump(), places, before]).encode())
    return digest.hexdigest()


def _execute(name: str, parameters: Common, folder: Path, label: str) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    running = folder / f"running-{name}.ipynb"
    finished = folder / "notebooks" / f"{name}.ipynb"
    finished.parent.mkdir(parents=True, exist_ok=True)
    os.environ["HWAWARE_HEADLESS"] = "1"  # the kernel inherits it: no progress bars in the book
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            papermill.execute_notebook(
                ROOT / "notebooks" / f"{name}.ipynb",
                running,
                parameters=parameters.model_dump(),
                kernel_name="python3",
                progress_bar={"desc": label},
                cwd=ROOT / "notebooks",
                request_save_on_cell_execute=False,
            )
    except PapermillExecutionError as error:
        line = next((text for text in error.source.splitlines() if text.strip()), "")
        raise NotebookFailed(
            f"{name}.ipynb failed in cell {error.cell_index} ({line.strip()[:70]!r}): {error.ename}: {error.evalue} "
            f"The half-run notebook is {running}."
        ) from error
    _fold_injected_cell(running)
    running.replace(finished)


def _fold_injected_cell(path: Path) -> None:
    """The parameters that papermill injects stand on the run card too: in the book their cell is folded."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["metadata"]["tags"].append("hide-input")
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False))
