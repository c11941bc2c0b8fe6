"""The page 'Data': what each result table holds, read from the table itself and from the data dictionary."""

from html import escape
from pathlib import Path

import pandas as pd

from .dictionary import look_up, table_meaning


def describe_tables(paths: list[Path]) -> list[str]:
    """Markdown lines, an entry a table: download link, rows, kinds of evidence, columns."""
    if not paths:
        return ["This profile has written no tables yet."]
    return [line for path in paths for line in [*describe_table(path), ""]]


def describe_table(path: Path) -> list[str]:
    """A list item: the file, what is in it, and its columns: names on paper, their meanings unfolded on a screen."""
    frame = pd.read_csv(path)
    kinds = ", ".join(sorted(frame["evidence"].unique())) if "evidence" in frame else "none stated"
    names = ", ".join(f"`{name}`" for name in frame)
    rows = "1 row" if len(frame) == 1 else f"{len(frame):,} rows"
    meaning = table_meaning(path.stem)
    told = f"{meaning[:1].upper()}{meaning[1:]}; " if meaning else ""
    return [
        f"- {{download}}`{path.name} </results/{path.name}>` – {told}{rows}; evidence: {kinds}.",
        "",
        "  ```{only} latex",
        f"  {names}",
        "  ```",
        "",
        f"  {column_list(path.stem, list(frame))}",
    ]


def column_list(table: str, columns: list[str]) -> str:
    """The columns as a list that unfolds, in HTML on one line; a column that nobody has described stands alone."""
    items = "".join(_item(table, name) for name in columns)
    count = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
    return f'<details class="hw-columns"><summary>{count} of {escape(table)}</summary><dl>{items}</dl></details>'


def _item(table: str, column: str) -> str:
    unit, meaning = look_up(table, column) or ("", "")
    shown = f" ({escape(unit)})" if unit else ""
    return f"<dt><code>{escape(column)}</code>{shown}</dt><dd>{escape(meaning)}</dd>"
