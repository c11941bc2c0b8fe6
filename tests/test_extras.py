"""Optional packages: one pin each, the same as in the lock file, and one sentence when they are not there."""

import re
from importlib import metadata

import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import ROOT
from hwaware_utils.simulate import extras

PACKAGES = re.findall(r"^([\w-]+)==", (ROOT / "requirements-simulators.txt").read_text(), re.MULTILINE)


def pins() -> list[str]:
    return [f"{name}=={extras.pinned_version(name)}" for name in PACKAGES]


def test_pins_are_those_of_the_lock_file():
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    assert pins()
    assert [pin for pin in pins() if pin not in lock] == []


@pytest.mark.parametrize(("installed", "told"), [(None, "is not installed"), ("0.1", r"0\.1 is installed")])
def test_missing_or_other_version_names_the_one_command(monkeypatch, installed, told):
    def version(name):
        if installed is None:
            raise metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(UserError, match=f"{told}.*run `make simulators`"):
        extras.require_packages(PACKAGES[0])


def test_install_asks_pip_for_the_pins_and_only_when_something_is_missing(monkeypatch):
    asked = []
    monkeypatch.setattr(extras, "run", lambda command, *_: asked.append(command))
    monkeypatch.setattr(metadata, "version", lambda name: "0.1")
    extras.install_packages(*PACKAGES, say=lambda _: None)
    assert asked[0][1:4] == ["-m", "pip", "install"]
    assert [part for part in asked[0] if "==" in part] == pins()
    monkeypatch.setattr(metadata, "version", extras.pinned_version)
    extras.install_packages(*PACKAGES)
    assert len(asked) == 1
