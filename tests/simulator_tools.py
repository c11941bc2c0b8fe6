"""What the tests of the simulators share."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import psutil
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE


def stored_model(variant: str) -> Path:
    """The model file of a row of results/reference/variants.csv."""
    return REFERENCE / pd.read_csv(REFERENCE / "variants.csv").set_index("variant")["model_file"][variant]


def needs(find, *arguments) -> None:
    """Skip the test unless `find` finds its tool. CI promises to run it: there a missing tool is a failure."""
    try:
        find(*arguments)
    except UserError as error:
        pytest.fail(str(error), pytrace=False) if os.environ.get("CI") else pytest.skip(str(error))


@contextlib.contextmanager
def own_temp(tmp_path_factory):
    """A folder for everything temporary while the block runs: what is left in it was left by these tests, by no others."""
    tmp_path_factory.getbasetemp()  # pytest's own stays where it is
    before, tempfile.tempdir = tempfile.tempdir, tempfile.mkdtemp(prefix="hw-")
    try:
        yield Path(tempfile.tempdir)
    finally:
        shutil.rmtree(tempfile.tempdir)
        tempfile.tempdir = before


def left_behind(folder: Path) -> list[str]:
    """Contents of the folder, and command lines of processes that work in it."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line] + [path.name for path in folder.iterdir()]
