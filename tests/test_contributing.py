"""CONTRIBUTING.md names what is there: each package, each test file and each file that a recipe sends you to."""

import re

import pytest
from conftest import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAP = PAGE.split("## A map of the code")[1].split("\n## ")[0]
PACKAGES = sorted(path.parent for path in (ROOT / "hwaware_utils").rglob("__init__.py"))


@pytest.mark.parametrize("package", [str(path.relative_to(ROOT)) for path in PACKAGES])
def test_the_map_names_each_package(package):
    assert f"| `{package}` |" in MAP


def test_the_map_sends_to_files_that_are_there():
    rows = re.findall(r"^\| `([\w/.]+)` \| .+ \| (.+) \|$", MAP, re.MULTILINE)
    assert len(rows) > len(PACKAGES)
    for place, begin in rows:
        assert (ROOT / place).exists(), place
        for name in re.findall(r"`([\w.]+\.py)`", begin):
            assert (ROOT / place / name).is_file(), f"{place}/{name}"


def test_the_page_is_short_and_holds_the_three_recipes():
    assert len(PAGE.splitlines()) <= 150
    assert {"## Add a platform", "## Add a variant", "## Add a chapter"} <= set(PAGE.splitlines())


def test_the_files_that_it_names_are_there():
    named = set(re.findall(r"(?:tests|params|book|results)/[\w/]+\.\w+", PAGE))
    for name in {name for name in named if not re.search("[A-Z]", name)}:  # NAME is yours
        assert (ROOT / name).is_file(), name
    for name in set(re.findall(r"`((?:base|study|platforms|report|decide)/\w+\.py)`", PAGE)):
        assert (ROOT / "hwaware_utils" / name).is_file(), name
