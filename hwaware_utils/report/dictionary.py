"""The data dictionary: the unit and the meaning of each column of a result table, from book/columns.yaml."""

import functools
import re

import yaml

from ..base.results import ROOT

COLUMNS = ROOT / "book" / "columns.yaml"


@functools.cache
def dictionary() -> dict:
    """The file: patterns, tables and columns."""
    return yaml.safe_load(COLUMNS.read_text(encoding="utf-8"))


def look_up(table: str, column: str, known: dict | None = None) -> tuple[str, str] | None:
    """(unit, meaning) of a column: as table.column, by its name, or by a pattern; None if nobody has described it.

    >>> entries = {"columns": {"a_ms": ["ms", "time"]}, "patterns": {"*_low": ["as the column", "lower end"]}}
    >>> look_up("t", "a_ms", entries), look_up("t", "a_ms_low", entries), look_up("t", "b", entries)
    (('ms', 'time'), ('as the column', 'lower end'), None)
    """
    known = dictionary() if known is None else known
    for name in (f"{table}.{column}", column):
        if name in known["columns"]:
            return tuple(known["columns"][name])
    for pattern, entry in known["patterns"].items():
        if re.fullmatch(re.escape(pattern).replace(r"\*", ".+"), column):
            return tuple(entry)
    return None


def table_meaning(table: str) -> str:
    """What a table holds, in a line; empty if nobody has described it."""
    return dictionary()["tables"].get(table, "")
