"""The batch runner: a profile's notebooks through papermill, in order, each written whole or not at all.

A notebook is up to date when its source, its parameters, the package, the stored reference and the run of its
predecessor are what they were, and the files that it wrote are still the same. Its stamp is written last, so whatever
interrupts a run, the next one resumes.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import sys
import time
import warnings
from pathlib import Path

from tqdm import tqdm

from .base.artifacts import sha256
from .base.errors import UserError, nearest
from .base.provenance import provenance
from .base.results import REFERENCE, ROOT, build_dir, written_whole
from .base.schema import NOTEBOOKS
from .base.schema_types import Common
from .study.cifar10 import in_keras_cache


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
        before, first, never = "", min(list(models).index(name) for name in chosen) + 1, []
        for number, (name, parameters) in enumerate(models.items(), 1):
            stamp_file = folder / "stamps" / f"{name}.json"
            key, stamp = _key(name, parameters, before), read_stamp(stamp_file)
            current = stamp.get("key") == key and all(_unchanged(folder, *file) for file in stamp["files"].items())
            label = f"[{number}/{len(models)}] {name}"
            if number == first and never:
                say(f"{' '.join(never)}: never run in profile {profile!r}; if a table of theirs is missing, run without --only")
            if name not in chosen:
                if number < first and not stamp:
                    never.append(name)
                elif number < first and not current:
                    say(f"{label}: stale, but not asked for; what follows uses its last run")
            elif current and not force:
                say(f"{label}: up to date")
            else:
                start, before_it = time.monotonic(), _made(folder, name)
                stamp_file.unlink(missing_ok=True)
                _execute(name, parameters, folder, label)
                stamp = {"key": key, "run": f"{time.time_ns()}-{os.getpid()}", **provenance()}
                stamp["files"] = _written(folder, name, before_it)
                with written_whole(stamp_file) as path:
                    path.write_text(json.dumps(stamp, indent=1))
                say(f"{label}: done in {time.monotonic() - start:.0f} s")
            before = stamp.get("run", "")


def _made(folder: Path, name: str) -> dict[Path, tuple[int, int]]:
    """The executed notebook, the tables and the models as they are now. The manifest belongs to all notebooks."""
    paths = [folder / "notebooks" / f"{name}.ipynb", *(folder / "results").glob("*.csv"), *(folder / "models").glob("*.*")]
    return {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in paths if p.is_file() and p.name != "manifest.json"}


def _written(folder: Path, name: str, before: dict) -> dict[str, str]:
    """What has been written since `before`, with its sha256. No time is compared: a clock may be set back meanwhile."""
    fresh = [path for path, state in _made(folder, name).items() if before.get(path) != state]
    return {str(path.relative_to(folder)): sha256(path) for path in fresh}


def _unchanged(folder: Path, name: str, checksum: str) -> bool:
    return (folder / name).is_file() and sha256(folder / name) == checksum


def _chosen(only: str) -> set[str]:
    if not only:
        return set(NOTEBOOKS)
    chosen = {name for name in NOTEBOOKS if name == only or name.split("_")[0] == only.zfill(2)}
    if not chosen:
        raise UserError(f"--only {only!r} names no notebook{nearest(only, NOTEBOOKS)}")
    return chosen


@contextlib.contextmanager
def _locked(folder: Path, profile: str):
    """One run of a profile at a time. The lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise UserError(f"profile {profile!r} is being run already (process {owner}): wait for it, or stop it.") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def read_stamp(path: Path) -> dict:
    """A finished notebook's stamp: key, run, files with sha256, host, commit, date. Empty when it has not finished."""
    try:
        stamp = json.loads(path.read_text())
        return stamp if isinstance(stamp["files"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _key(name: str, parameters: Common, before: str) -> str:
    """Hash of everything that the outcome of notebook `name` depends on; `before` is the run of its predecessor."""
    digest = hashlib.sha256()
    sources = [ROOT / "notebooks" / f"{name}.ipynb", *sorted((ROOT / "hwaware_utils").rglob("*.py"))]
    sources += [*sorted((ROOT / "params").glob("*/*.yaml")), *sorted((ROOT / "params").glob("*.csv"))]
    sources += [path for data in ("claims", "generations", "scenarios") if (path := ROOT / "params" / f"{data}.yaml").is_file()]
    sources += sorted(path for path in REFERENCE.glob("*.*") if path.suffix in (".csv", ".json", ".tflite", ".npz"))
    for path in sources:
        digest.update(path.read_bytes())
    places = [os.environ.get(variable, "") for variable in ("HWAWARE_DATA", "HWAWARE_WEIGHTS")] + [in_keras_cache()]
    digest.update(json.dumps([parameters.model_dump(), places, before]).encode())
    return digest.hexdigest()


def _execute(name: str, parameters: Common, folder: Path, label: str) -> None:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    running = folder / f"running-{name}.ipynb"
    finished = folder / "notebooks" / f"{name}.ipynb"
    finished.parent.mkdir(parents=True, exist_ok=True)
    os.environ["HWAWARE_HEADLESS"] = "1"  # the kernel inherits it: no progress bars in the book
    notices = folder / f"running-{name}.log"
    try:
        with warnings.catch_warnings(), _native_stderr_in(notices):
            warnings.simplefilter("ignore")
            papermill.execute_notebook(
                ROOT / "notebooks" / f"{name}.ipynb",
                running,
                parameters=parameters.model_dump(),
                kernel_name="python3",
                progress_bar={"desc": label},
                cwd=ROOT / "notebooks",
                request_save_on_cell_execute=False,
                stdout_file=_Epochs(),
            )
    except PapermillExecutionError as error:
        line = next((text for text in error.source.splitlines() if text.strip()), "")
        raise NotebookFailed(
            f"{name}.ipynb failed in cell {error.cell_index} ({line.strip()[:70]!r}): {error.ename}: {error.evalue} "
            f"The half-run notebook is {running}."
        ) from error
    except (DeadKernelError, CellTimeoutError) as error:
        raise NotebookFailed(
            f"{name}.ipynb failed: its kernel died ({error}); out of memory is the usual cause. Its last words: {notices}."
        ) from error
    _fold_injected_cell(running)
    running.replace(finished)
    notices.unlink()


@contextlib.contextmanager
def _native_stderr_in(path: Path):
    """File descriptor 2, which the kernel inherits, goes to `path`: a kernel that is shut down may print a traceback of
    its own sockets. What this process says still reaches the terminal."""
    terminal = os.dup(2)
    try:
        with path.open("w") as log, open(terminal, "w", buffering=1, closefd=False) as stderr:
            os.dup2(log.fileno(), 2)
            with contextlib.redirect_stderr(stderr):
                yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


class _Epochs(io.TextIOBase):
    """Shows the sentence of each training epoch above the progress bar; the rest of the output stays in the notebook."""

    def write(self, text: str) -> int:
        if "fine-tuning" in text:
            tqdm.write(text.rstrip(), file=sys.stderr)
        return len(text)


def _fold_injected_cell(path: Path) -> None:
    """The parameters that papermill injects stand on the run card too: in the book their cell is folded."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["metadata"]["tags"].append("hide-input")
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False))
