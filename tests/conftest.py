"""Shared fixtures. One smoke run (real training) serves every end-to-end test of a session."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
os.environ["HWAWARE_HEADLESS"] = "1"
os.environ["HWAWARE_BUILD"] = tempfile.mkdtemp(prefix="hwaware-tests-")  # no test touches the developer's build


def command(*arguments, build: Path, timeout: int = 600, **variables) -> subprocess.CompletedProcess:
    """Run `python -m hwaware_utils ...` with its own build folder and without any data set of the developer's."""
    environment = {k: v for k, v in os.environ.items() if k not in ("HWAWARE_DATA", "HWAWARE_WEIGHTS")}
    environment |= {"HWAWARE_BUILD": str(build), "KERAS_HOME": str(build / "keras"), **variables}
    return subprocess.run(
        [sys.executable, "-m", "hwaware_utils", *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, timeout=timeout, env=environment,
    )  # fmt: skip


@pytest.fixture(scope="session")
def smoke_build(tmp_path_factory) -> Path:
    """A build folder in which the smoke profile has been run, training included."""
    build = tmp_path_factory.mktemp("smoke")
    done = command("run", "params/smoke.yaml", build=build, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return build


@pytest.fixture(scope="session")
def reference_build(tmp_path_factory) -> Path:
    """A build folder in which the reference profile has been run without CIFAR-10 and without a network."""
    build = tmp_path_factory.mktemp("reference")
    done = command("run", "params/reference.yaml", build=build, timeout=900, HTTPS_PROXY="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout + done.stderr
    return build


@pytest.fixture(scope="session")
def book_html(reference_build) -> Path:
    """The HTML book of the reference profile."""
    built = subprocess.run(
        [sys.executable, "-m", "hwaware_utils.report.build", str(reference_build / "reference")],
        capture_output=True, text=True, cwd=ROOT, timeout=600,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return reference_build / "reference" / "html"


@pytest.fixture
def copied_smoke(smoke_build, tmp_path) -> Path:
    """A copy of the smoke build that a test may damage."""
    return Path(shutil.copytree(smoke_build, tmp_path / "build", symlinks=True))
