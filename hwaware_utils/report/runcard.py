"""The run card at the foot of every notebook: what ran, on which data, with which versions, where, when and for how long."""

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from ..base.provenance import git_commit, host
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
