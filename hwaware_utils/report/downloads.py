"""The page 'Data': what each result table holds, read from the table itself."""

from pathlib import Path

import pandas as pd


def describe_tables(paths: list[Path]) -> list[str]:
    """Markdown lines, an entry a table: download link, rows, kinds of evidence, columns."""
    if not paths:
        return ["This profile has written no tables yet."]
    return [line for path in paths for line in [*describe_table(path), ""]]


def describe_table(path: Path) -> list[str]:
    """A list item: the file, then what is in it."""
    frame = pd.read_csv(path)
    kinds = ", ".join(sorted(frame["evidence"].unique())) if "evidence" in frame else "none stated"
    columns = ", ".join(f"`{name}`" for name in frame)
    rows = "1 row" if len(frame) == 1 else f"{len(frame):,} rows"
    return [f"- {{download}}`{path.name} </results/{path.name}>` – {rows}; evidence: {kinds}.", "", f"  {columns}"]
