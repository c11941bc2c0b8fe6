"""What the tests of the simulators share."""

import os
from pathlib import Path

import pandas as pd
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
