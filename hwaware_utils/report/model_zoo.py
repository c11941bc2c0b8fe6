"""The model zoo: every variant with its metrics, and the files behind them."""

from pathlib import Path

import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.results import REFERENCE
from .tables import NOTHING, format_value

# Offered in the HTML book: what a phone or a microcontroller is given. All precisions would weigh some 55 MB in each book.
OFFERED = ("int8_ptq", "int8_qat")


def zoo_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a variant, as texts where a number has an interval.

    Columns: variant, accuracy, size_bytes, for each platform `<platform>, ms` (its latency with the interval; nothing where
    the variant does not run), parameters, macs, evidence (of the accuracy). `tables` holds variants, latency, fits.
    """
    variants, latency = tables["variants"], tables["latency"]
    fits = tables["fits"][tables["fits"]["fits"].astype(bool)]
    running = latency.merge(fits[["variant", "platform"]], on=["variant", "platform"])
    rows = variants[["variant"]].copy()
    rows["accuracy"] = [_with_interval(row, "accuracy") for row in variants.to_dict("records")]
    rows["size_bytes"] = variants["size_bytes"]
    for platform in dict.fromkeys(tables["fits"]["platform"]):
        here = running[running["platform"] == platform].drop_duplicates("variant").set_index("variant").to_dict("index")
        rows[_heading(platform, {row["evidence"] for row in here.values()})] = [
            _with_interval(here[name], "latency_ms") if name in here else NOTHING for name in variants["variant"]
        ]
    return rows.assign(parameters=variants["parameters"], macs=variants["macs"], evidence=variants["evidence"])


def _heading(platform: str, kinds: set[str]) -> str:
    """How a platform's column is headed: with the evidence of its numbers."""
    return f"{platform}, ms" + (f" ({', '.join(sorted(kinds))})" if kinds else "")


def _with_interval(row: dict, name: str) -> str:
    """`0.918 (0.913–0.923)`, formatted as everywhere in the book."""
    middle, low, high = (format_value(row.get(f"{name}{end}"), name) for end in ("", "_low", "_high"))
    return middle if low == NOTHING else f"{middle} ({low}–{high})"


def file_table(variants: pd.DataFrame) -> pd.DataFrame:
    """The files: variant, recipe (id in the store), model_file, size_bytes, sha256."""
    recipes = variants["model_file"].str.split(".").str[0]
    return variants[["variant", "model_file", "size_bytes", "sha256"]].assign(recipe=recipes)[
        ["variant", "recipe", "model_file", "size_bytes", "sha256"]
    ]


def offered_files(variants: pd.DataFrame, store: Path) -> list[Path]:
    """The files of the `OFFERED` precisions, from the profile's own store or the reference; those that are unharmed."""
    wanted = variants[variants["precision"].isin(OFFERED)]
    found = (find_model(row.model_file, row.sha256, store) for row in wanted.itertuples())
    return [path for path in found if path is not None]


def find_model(name: str, checksum: str, store: Path) -> Path | None:
    """The file of this name and sha256 in `store` or the stored reference, or None."""
    paths = (folder / name for folder in (store, REFERENCE))
    return next((path for path in paths if path.is_file() and artifacts.sha256(path) == checksum), None)


def link_files(html: str, names: list[str]) -> str:
    """`html` of a table in which each of the file names has become a link to models/<name>. UserError for a strange name."""
    for name in names:
        cell = f">{name}</td>"
        if cell not in html:
            raise UserError(f"{name} is no cell of the table: give names of its column model_file.")
        html = html.replace(cell, f'><a href="../models/{name}" download>{name}</a></td>')
    return html
