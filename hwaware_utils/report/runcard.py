"""The run card at the foot of every notebook: what ran, on which data, with which versions, where, when and for how long."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from ..base.results import ROOT
from .tables import Table, show_table

# Read from the installed metadata: importing TensorFlow to ask for its version would take seconds.
PACKAGES = ("tensorflow", "tensorflow-model-optimization", "ai-edge-litert", "ai-edge-quantizer", "numpy", "pandas", "altair")


def run_card(profile: str, parameters: dict, dataset: str, started: float | None = None) -> Table:
    """One row a fact. `parameters`: those worth telling; `dataset`: its name; `started`: `time.time()` of the first cell."""
    facts = {"profile": profile, "data set": dataset}
    facts |= {f"parameter {name}": repr(value) for name, value in parameters.items()}
    facts |= {"host": host(), "Python": platform.python_version(), "packages": ", ".join(packages())}
    facts |= {"git commit": git_commit(), "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
    if started is not None:
        facts["duration"] = f"{time.time() - started:.1f} s"
    return show_table(pd.DataFrame({"item": facts.keys(), "value": facts.values()}), caption="Run card")


def packages() -> list[str]:
    """'name version' of each package that is installed and shapes the numbers."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def host() -> str:
    """CPU model, cores that this process may use, memory and system, in one line. No host name, no path."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cpu_model()}, {cores} cores, {memory_gib()}, {platform.system()} {platform.release().split('-')[0]}"


def cpu_model() -> str:
    """The processor's name from /proc/cpuinfo, else what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def memory_gib() -> str:
    """Physical memory, 1 GiB = 2**30 B."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return "unknown memory"


def git_commit() -> str:
    """Short commit of the project, '+ changes' when tracked files differ from it; 'unknown (no git)' without either."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown (no git)"
    return commit + (" + changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
