"""Where and when something ran: stored beside every recorded number."""

import datetime
import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from .results import ROOT


def host() -> str:
    """CPU model, cores that this process may use, memory and system, in one line. No host name, no path."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory_gib = psutil.virtual_memory().total / 2**30
    return f"{cpu_name()}, {cores} cores, {memory_gib:.1f} GiB, {platform.system()} {platform.machine()}"


@functools.cache
def cpu_name() -> str:
    """The CPU's model name, as the operating system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def git_commit() -> str:
    """Short hash of HEAD, `+changes` behind it when files differ; `unknown (no git)` outside a checkout."""
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != ROOT:
            return "unknown (no git)"  # unpacked inside somebody else's checkout
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown (no git)"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def provenance() -> dict:
    """Host, commit and date of this moment, plus the versions that decide a model's bytes."""
    return {
        "host": host(),
        "commit": git_commit(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "versions": {name: metadata.version(name) for name in ("tensorflow", "ai-edge-litert", "ai-edge-quantizer")},
    }
