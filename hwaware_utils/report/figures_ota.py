"""Figures about updates over the air: how few bytes each method sends, and what a power cut leaves. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK, PALETTE
from .encodings import colour, tooltip

TITLE = {"anchor": "start", "color": INK, "fontSize": 12, "fontWeight": "normal"}
OUTCOMES = {"old": "old model boots", "new": "new model boots", "nothing": "bricked"}


def delta_sizes(table: pd.DataFrame) -> alt.VConcatChart:
    """Package size of every method beside the entropy bound (a dashed rule), a panel a variant and kind of scales."""
    frame = table.assign(kib=table["package_bytes"] / 1024, bound_kib=table["bound_bytes"] / 1024)
    frame["panel"] = frame["variant"] + ", scales " + frame["scales"]
    order = frame.groupby("method")["kib"].mean().sort_values().index.tolist()
    most = float(frame["kib"].max())
    shades = colour(frame, "method")
    tips = tooltip(
        frame, "variant", "scales", "method", "package_bytes", "delta_bytes", "image_bytes", "share", "bound_bytes",
        "above_bound", "ram_bytes", "ram_evidence",
    )  # fmt: skip
    panels, told = [], []
    for panel, part in frame.groupby("panel", sort=False):
        base = alt.Chart(part, height=alt.Step(22), title=alt.Title(f"{panel} (dashed: entropy bound)", **TITLE)).encode(
            x=alt.X("kib:Q", title="package (KiB)", scale=alt.Scale(domain=[0, 1.12 * most], nice=False)),
            y=alt.Y("method:N", sort=order, title=None),
        )
        bars = base.mark_bar(height={"band": 0.7}).encode(fill=shades["fill"].legend(None), tooltip=tips)
        said = base.mark_text(align="left", dx=8, color=INK).encode(text=alt.Text("kib:Q", format=".3~s"))
        bound = alt.Chart(part.head(1)).mark_rule(strokeDash=[4, 3], color=INK, strokeWidth=1.5).encode(x="bound_kib:Q")
        panels.append(alt.layer(bars, said, bound))
        best = part.loc[part["kib"].idxmin()]
        told.append(
            f"{panel}: {best['method']} {best['kib']:.1f} KiB ({best['share']:.1%} of the file, bound {best['bound_kib']:.1f})"
        )
    return alt.vconcat(*panels, spacing=14).properties(
        description="Bar charts of the size of an update by method; the dashed line is the entropy of the differences. "
        f"Smallest for {'; '.join(told)}."
    )


def power_cuts(table: pd.DataFrame) -> alt.LayerChart:
    """Which model boots after a power cut in each write of an update: a column a share of the writes, a row an outcome."""
    last = int(table["operation"].max())
    bins = min(40, last + 1)
    frame = table.assign(part=table["operation"] * bins // (last + 1), shown=table["boots"].map(OUTCOMES))
    # The one write that decides stands in the last column among many that do not: it gets a mark of its own
    decided = frame[frame["boots"] == "new"].assign(done=1.0)
    counts = (
        frame[frame["boots"] != "new"]
        .groupby(["part", "outcome", "shown", "evidence"], as_index=False)
        .agg(cuts=("operation", "size"), first_write=("operation", "min"), last_write=("operation", "max"))
    )
    counts["done"] = counts["part"] / bins
    counts["next"] = (counts["part"] + 1) / bins
    scale = alt.Scale(domain=list(OUTCOMES.values()), range=[PALETTE[0], PALETTE[2], PALETTE[3]])
    legend = alt.Legend(title="after the cut", symbolType="square")
    y = alt.Y("outcome:N", sort=["nothing", "part", "everything"], title="the interrupted write did")
    cells = (
        alt.Chart(counts, height=alt.Step(30))
        .mark_rect(opacity=0.85)
        .encode(
            x=alt.X(
                "done:Q",
                title="progress of the update when the power goes",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(nice=False),
            ),
            x2="next:Q",
            y=y,
            fill=alt.Fill("shown:N", scale=scale, legend=legend),
            tooltip=tooltip(counts, "shown", "outcome", "cuts", "first_write", "last_write"),
        )
    )
    marks = (
        alt.Chart(decided)
        .mark_point(filled=True, size=120, shape="diamond", stroke=INK, strokeWidth=1)
        .encode(
            x="done:Q",
            y=y,
            fill=alt.Fill("shown:N", scale=scale, legend=legend),
            tooltip=tooltip(decided, "shown", "operation", "kind", "region"),
        )
    )
    found = table["boots"].value_counts()
    told = ", ".join(f"{label} after {found.get(key, 0):,}" for key, label in OUTCOMES.items())
    return alt.layer(cells, marks).properties(
        description=f"Heat map of what boots after {len(table):,} power cuts in {last + 1:,} writes: {told}."
    )
