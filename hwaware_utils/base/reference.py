"""The stored reference under results/reference, as far as a notebook asks it for an accuracy."""

import pandas as pd

from .errors import UserError
from .results import REFERENCE, read_table


def recorded_accuracy(sha256: str) -> dict | None:
    """The stored accuracy of the model with this sha256, as columns of variants.csv, or None."""
    columns = ["accuracy", "accuracy_low", "accuracy_high", "accuracy_n", "dataset", "evidence"]
    for name in ("variants", "explored_variants"):
        path = REFERENCE / f"{name}.csv"
        stored = read_table(path, ["sha256", *columns]) if path.is_file() else pd.DataFrame({"sha256": []})
        rows = stored[stored["sha256"] == sha256]
        if len(rows):
            found = rows[columns].iloc[0].to_dict()
            numbers = [found[column] for column in columns[:4]]
            if not all(isinstance(number, int | float) and number >= 0 for number in numbers):
                raise UserError(f"{path} holds no accuracy for {sha256[:12]}...: restore it with `git checkout`.")
            return found
    return None


def recorded_table(name: str, sha256: str, text: tuple[str, ...] = (), origin: bool = False) -> pd.DataFrame | None:
    """The rows of `results/reference/<name>.csv` that were stored for the model with this sha256, or None.

    Columns as they were saved, those in `text` as text even if they look like numbers. Host, commit and date of the
    recording (recorded_*) stay in the file, but with `origin`.
    """
    path = REFERENCE / f"{name}.csv"
    if not path.is_file():
        return None
    stored = read_table(path, dtype=dict.fromkeys(text, str))
    rows = stored[stored["sha256"] == sha256] if "sha256" in stored else stored.head(0)
    kept = [column for column in rows if origin or not column.startswith("recorded_")]
    return rows[kept].reset_index(drop=True) if len(rows) else None


def required_table(name: str, sha256: str, of: str, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """`recorded_table`; UserError when nothing is recorded, `of` names what for."""
    recorded = recorded_table(name, sha256, text)
    if recorded is None:
        raise UserError(f"no {name} is recorded for {of}, and the data set is not here: set HWAWARE_DATA.")
    return recorded


def recorded_recipes(name: str, recipes: list[str]) -> pd.DataFrame | None:
    """The rows of `results/reference/<name>.csv` if its column recipe names exactly these, in this order; else None."""
    path = REFERENCE / f"{name}.csv"
    stored = read_table(path) if path.is_file() else pd.DataFrame()
    if "recipe" not in stored or list(dict.fromkeys(stored["recipe"])) != recipes:
        return None
    return stored[[column for column in stored if not column.startswith("recorded_")]]
