"""Python packages that only a simulator needs: pinned in requirements-simulators.txt, installed on request."""

import re
import sys
from importlib import metadata

from ..base.errors import UserError
from ..base.processes import run
from ..base.results import ROOT

TIMEOUT_S = 900


def pinned_version(package: str) -> str:
    """The version that requirements-simulators.txt asks for."""
    text = (ROOT / "requirements-simulators.txt").read_text()
    return re.search(rf"^{re.escape(package)}==(\S+)", text, re.MULTILINE)[1]


def require_packages(*packages: str) -> None:
    """UserError naming the one command to run unless all are installed in their pinned versions."""
    for package in packages:
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError as error:
            raise UserError(f"the Python package {package} is not installed: run `make simulators`.") from error
        if found != pinned_version(package):
            raise UserError(f"{package} {found} is installed, {pinned_version(package)} is needed: run `make simulators`.")


def install_packages(*packages: str, say=print) -> None:
    """pip-install what is missing, in its pinned version. UserError in one sentence when that fails."""
    try:
        require_packages(*packages)
    except UserError:
        pins = [f"{package}=={pinned_version(package)}" for package in packages]
        say(f"pip: {', '.join(pins)} ...")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins]
        run(command, f"pip install {packages[0]}", TIMEOUT_S)
