"""A table that was measured is found again only for the same file, settings, host and code."""

import pandas as pd
import pytest

from hwaware_utils.base import remembered
from hwaware_utils.base.errors import UserError


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """The calls of the measurement so far; `ask` asks for its table."""
    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    calls = []

    def make():
        calls.append(len(calls))
        return pd.DataFrame({"name": ["a", "b"], "value": [0.1 + 0.2, 1 / 3 + len(calls)], "died": "", "evidence": "measured"})

    def ask(name="probe", sha256="1234", profile="smoke", **settings):
        return remembered.remembered_table(name, sha256, profile, settings, make)

    ask.calls = calls
    return ask


def test_the_same_question_is_measured_once_and_told_the_same(measured):
    first, again = measured(steps=3), measured(steps=3)
    assert len(measured.calls) == 1
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert first["value"][0] == 0.1 + 0.2
    assert set(first["evidence"]) == {"measured"}


@pytest.mark.parametrize("other", [{"steps": 4}, {"sha256": "5678"}, {"name": "other"}, {"profile": "reference"}])
def test_another_question_is_measured_anew(measured, other):
    measured(steps=3)
    measured(**{"steps": 3} | other)
    assert len(measured.calls) == 2


@pytest.mark.parametrize("what", ["host", "code_version"])
def test_another_host_or_other_code_is_measured_anew(measured, monkeypatch, what):
    measured()
    monkeypatch.setattr(remembered, what, lambda: "another one")
    measured()
    assert len(measured.calls) == 2


def test_a_damaged_table_is_refused_by_name(measured, tmp_path):
    measured()
    table = next((tmp_path / "smoke" / "models").glob("probe-*.csv"))
    table.write_text(table.read_text()[:10])
    with pytest.raises(UserError, match=f"{table.name} .* is damaged"):
        measured()


def test_code_that_changes_changes_the_version(tmp_path, monkeypatch):
    for layer in ("base", "study", "report"):
        (tmp_path / "hwaware_utils" / layer).mkdir(parents=True)
        (tmp_path / "hwaware_utils" / layer / "some.py").write_text("1")
    monkeypatch.setattr(remembered, "ROOT", tmp_path)

    def version():
        remembered.code_version.cache_clear()
        return remembered.code_version()

    before = version()
    (tmp_path / "hwaware_utils" / "report" / "some.py").write_text("2")  # draws, measures nothing
    assert version() == before
    (tmp_path / "hwaware_utils" / "study" / "some.py").write_text("2")
    assert version() != before
    remembered.code_version.cache_clear()
