"""What all figures share: one shape for each kind of evidence, one colour for each precision, tooltips, intervals."""

from typing import get_args

import altair as alt
import pandas as pd

from ..base.evidence import SHAPES
from ..base.schema_types import Precision
from .charts import INK, PALETTE

PRECISIONS = list(get_args(Precision))

FORMATS = {  # end of a column's name -> d3 format of the tooltip
    "accuracy": ".4f",
    "_low": ".3~s",
    "_high": ".3~s",
    "_ms": ".3~g",
    "_mj": ".3~g",
    "_bytes": ",",
    "macs": ",",
    "parameters": ",",
    "_rate": ".2~g",
    "loss": ".4f",
    "seconds": ".1f",
    "_s": ".3~g",
    "_per_byte": ".3~g",
}


def evidence_shape(field: str = "evidence") -> alt.Shape:
    """Mark shape = how the number is known. All six stand in every legend, so that legends look alike on all pages."""
    scale = alt.Scale(domain=list(SHAPES), range=list(SHAPES.values()))
    return alt.Shape(f"{field}:N", scale=scale, legend=alt.Legend(title="evidence", symbolFillColor=INK, symbolStrokeColor=INK))


def colour(frame: pd.DataFrame, field: str, title: str | None = None) -> dict:
    """Fill and stroke by `field`. A precision keeps its colour on all pages; anything else is coloured in name order."""
    present = set(frame[field])
    known = PRECISIONS if field == "precision" and present <= set(PRECISIONS) else sorted(present)
    scale = alt.Scale(domain=known, range=[PALETTE[i % len(PALETTE)] for i in range(len(known))])
    shown = [value for value in known if value in present]
    legend = alt.Legend(title=title or field, values=shown, symbolType="square")
    # The same legend for both: Vega-Lite merges the two, and a None for one of them would remove the other.
    return {
        "fill": alt.Fill(f"{field}:N", scale=scale, legend=legend),
        "stroke": alt.Stroke(f"{field}:N", scale=scale, legend=legend),
    }


def points(chart: alt.Chart, **options) -> alt.Chart:
    """Marks that are filled and stroked: the shape of `assumed` is a stroke and has no inside."""
    return chart.mark_point(filled=True, size=80, strokeWidth=1.5, opacity=0.9, **options)


def tooltip(frame: pd.DataFrame, *first: str) -> list[alt.Tooltip]:
    """The named columns that the frame has, then `evidence`, formatted by the end of the column's name."""
    names = [name for name in dict.fromkeys([*first, "evidence"]) if name in frame]
    return [_tip(name, pd.api.types.is_numeric_dtype(frame[name])) for name in names]


def _tip(name: str, numeric: bool) -> alt.Tooltip:
    style = next((form for end, form in FORMATS.items() if name.endswith(end)), ".4~g")
    title = name.replace("_", " ")
    return alt.Tooltip(f"{name}:Q", title=title, format=style) if numeric else alt.Tooltip(f"{name}:N", title=title)


def interval(frame: pd.DataFrame, value: str) -> pd.DataFrame:
    """The rows that have both `<value>_low` and `<value>_high`; empty if the columns are missing."""
    ends = [f"{value}_low", f"{value}_high"]
    return frame.dropna(subset=ends) if set(ends) <= set(frame) else frame.head(0).assign(**dict.fromkeys(ends, 0.0))


def names(values, limit: int = 6) -> str:
    """'a, b and c' in order of appearance, for the texts that are read aloud."""
    found = [str(value) for value in dict.fromkeys(values)]
    if len(found) > limit:
        return f"{', '.join(found[: limit - 1])} and {len(found) - limit + 1} more"
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)
