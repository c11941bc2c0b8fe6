"""What one generation of hardware did for the next, and what INT8 did: published figures, never guesses.

`params/generations.yaml` holds series: one measure, its entries the generations in order. An entry without a figure stays in
the table, without a number.
"""

import datetime
import math
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..base.errors import UserError
from ..base.results import ROOT
from .published import load_published

PATH = ROOT / "params" / "generations.yaml"
NONE_FOUND = "no published figure found"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Entry(_Strict):
    generation: str
    rows: dict[str, str] | None = None
    value: Annotated[float, Field(gt=0)] | None = None
    clock_mhz: Annotated[float, Field(gt=0)] | None = None
    device: str = ""
    runtime: str = ""
    source: str = ""
    date: datetime.date | None = None
    note: str = ""


class _Series(_Strict):
    id: str
    family: str
    title: str
    short: str
    unit: str
    better: Literal["less", "more"]
    evidence: Literal["published", "modelled"] = "published"
    source: str = ""
    date: datetime.date | None = None
    entries: Annotated[list[_Entry], Field(min_length=2)]

    @model_validator(mode="after")
    def every_figure_is_cited(self):
        for entry in self.entries:
            if entry.value is not None and entry.rows is not None:
                raise ValueError(f"{self.id}, {entry.generation}: a value and rows: give one of them")
            if entry.value is not None and not ((entry.source or self.source) and (entry.date or self.date)):
                raise ValueError(f"{self.id}, {entry.generation}: a figure needs its source and date")
        return self


class _Quantisation(_Strict):
    family: str
    from_: Annotated[dict[str, str], Field(alias="from")]
    to: dict[str, str]


class _File(_Strict):
    series: list[_Series]
    quantisation: list[_Quantisation]


def parse_generations(content: object, name: str) -> tuple[list[_Series], list[_Quantisation]]:
    """Series and comparisons of a file's content. UserError names what is wrong, e.g. a figure without source."""
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{name}: {place}: {first['msg'].removeprefix('Value error, ')}.") from error
    return file.series, file.quantisation


@lru_cache(maxsize=1)
def _load() -> tuple[list[_Series], list[_Quantisation]]:
    return parse_generations(yaml.safe_load(Path(PATH).read_text()), PATH.name)


def load_generations() -> pd.DataFrame:
    """A row per generation and series: `family, series, title, short, generation, order, value, unit, better, clock_mhz, speed,
    speed_per_clock, found, device, runtime, note, source, date, evidence`.

    `speed` is how many times better than the series' first figure (missing where there is none), `speed_per_clock` the same
    with both clocks set equal. `found` is 'published figure', 'estimate' or 'no published figure found'.
    """
    rows = [row for series in _load()[0] for row in tabulate_series(series)]
    return pd.DataFrame(rows)


def tabulate_series(series: _Series) -> list[dict]:
    """The rows of one series (see `load_generations`)."""
    rows = [_row(series, order, entry) for order, entry in enumerate(series.entries)]
    first = rows[0]
    for row in rows:
        ratio = row["value"] / first["value"]
        row["speed"] = 1 / ratio if series.better == "less" else ratio
        row["speed_per_clock"] = row["speed"] * first["clock_mhz"] / row["clock_mhz"] if series.better == "less" else math.nan
    return rows


def _row(series: _Series, order: int, entry: _Entry) -> dict:
    start = {"family": series.family, "series": series.id, "title": series.title, "short": series.short}
    start |= {"generation": entry.generation, "order": order}
    figure = {"value": entry.value, "clock_mhz": entry.clock_mhz, "device": entry.device, "runtime": entry.runtime}
    figure |= {"source": entry.source or series.source, "date": entry.date or series.date}
    if entry.rows is not None:
        figure = _select(entry.rows, f"{series.id}, {entry.generation}")
    missing = figure["value"] is None
    found = NONE_FOUND if missing else "estimate" if series.evidence == "modelled" else "published figure"
    if missing:
        figure |= {"value": math.nan, "source": "", "date": None}
    if figure["clock_mhz"] is None:
        figure["clock_mhz"] = math.nan
    figure["date"] = "" if figure["date"] is None else str(figure["date"])
    told = {"unit": series.unit, "better": series.better, "found": found, "note": entry.note, "evidence": series.evidence}
    return start | figure | told


def _select(rows: dict[str, str], place: str) -> dict:
    """The one row of the published measurements that `rows` picks, as a figure. UserError if there is none, or several."""
    table = load_published()
    for column, wanted in rows.items():
        if column not in table:
            raise UserError(f"{PATH.name}: {place}: the published measurements have no column {column!r}.")
        table = table[table[column].astype(str) == wanted]
    if len(table) != 1:
        raise UserError(f"{PATH.name}: {place}: {len(table)} published measurements match {rows}: expected one.")
    row = table.iloc[0]
    told = {name: row[name] for name in ("device", "runtime")} | {"value": float(row["latency_ms"])}
    return told | {"clock_mhz": float(row["freq_mhz"]), "source": f"{row['source']}, {row['source_url']}", "date": None}


def generation_steps(table: pd.DataFrame) -> pd.DataFrame:
    """A row per two figures next to each other in a series: `family, series, short, step, gain, gain_per_clock, evidence`; a
    generation without a figure is passed over, and the step says so by its two names."""
    rows = []
    for (family, series), group in table.dropna(subset=["speed"]).groupby(["family", "series"], sort=False):
        known = group.sort_values("order")
        for before, after in zip(known.iloc[:-1].itertuples(), known.iloc[1:].itertuples(), strict=True):
            rows.append(
                {"family": family, "series": series, "short": after.short, "step": f"{before.generation} to {after.generation}"}
                | {"gain": after.speed / before.speed, "gain_per_clock": after.speed_per_clock / before.speed_per_clock}
                | {"evidence": after.evidence}
            )
    return pd.DataFrame(rows)


def quantisation_gains() -> pd.DataFrame:
    """How many times faster INT8 ran than floats, same board, runtime and network: `family, device, model, runtime, from, to,
    from_ms, to_ms, gain, source, evidence`."""
    rows = []
    for one in _load()[1]:
        before, after = (_select(rows_, f"quantisation, {one.family}") for rows_ in (one.from_, one.to))
        rows.append(
            {"family": one.family, "device": after["device"], "model": one.to["model"], "runtime": after["runtime"]}
            | {"from": one.from_["precision"], "to": one.to["precision"], "from_ms": before["value"], "to_ms": after["value"]}
            | {"gain": before["value"] / after["value"], "source": after["source"], "evidence": "published"}
        )
    return pd.DataFrame(rows)
