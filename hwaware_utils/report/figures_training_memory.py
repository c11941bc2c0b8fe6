"""Figures about the memory of a training step: what checkpointing saves, and which batch fits. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, names, points, tooltip


def training_memory(table: pd.DataFrame) -> alt.LayerChart:
    """Peak memory of a training step by batch size, a bar a method; over the checkpointed bars the share that is saved."""
    base = alt.Chart(table).encode(
        x=alt.X("batch:O", title="batch size", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("method:N", sort=["plain", "checkpointed"]),
        y=alt.Y("peak_mib:Q", title="peak of a training step (MiB)"),
    )
    tips = tooltip(
        table, "method", "batch", "peak_mib", "rss_mib", "images_per_s", "saved_share", "extra_time_share", "extra_cpu_share",
        "loss_first", "loss_last", "repeats",
    )  # fmt: skip
    bars = base.mark_bar().encode(fill=colour(table, "method")["fill"], tooltip=tips)
    small = table[table["method"] == "checkpointed"].assign(saved=lambda rows: rows["saved_share"].map("−{:.0%}".format))
    labels = base.mark_text(dy=-8, color=INK).encode(text="saved:N").properties(data=small)
    found = names(
        f"{row.saved_share:.0%} at batch {row.batch} for {row.extra_cpu_share:.0%} more CPU time" for row in small.itertuples()
    )
    return alt.layer(bars, labels).properties(
        description=f"Bar chart of the peak memory of a training step by batch size. Checkpointing saves {found}."
    )


def batch_search(table: pd.DataFrame) -> alt.LayerChart:
    """Every batch that was tried against its peak memory, numbered in the order of trying; the limit is a rule.

    The chosen batch of each method carries a ring. A trial that died has no peak and no mark.
    """
    frame = table.assign(trial=table.groupby("method").cumcount() + 1)
    seen = frame.dropna(subset=["peak_mib"])
    base = alt.Chart(seen).encode(
        x=alt.X("batch:Q", title="batch size", scale=alt.Scale(padding=14), axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("peak_mib:Q", title="peak of a training step (MiB)"),
    )
    shades = colour(seen, "method")
    tips = tooltip(seen, "method", "trial", "batch", "peak_mib", "limit_mib", "fits", "chosen", "images_per_s")
    limits = frame[["limit_mib"]].drop_duplicates()
    rule = alt.Chart(limits).mark_rule(strokeDash=[5, 3], color=INK).encode(y="limit_mib:Q")
    named = rule.mark_text(align="left", dx=4, dy=-6, color=INK).encode(text=alt.value("memory limit"), x=alt.value(0))
    lines = base.mark_line(strokeWidth=1, opacity=0.5).encode(stroke=shades["stroke"], order="batch:Q")
    rings = base.mark_point(size=320, strokeWidth=1.5, color=INK).properties(data=seen[seen["chosen"]])
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    numbers = base.mark_text(dx=11, dy=9, color=INK).encode(text="trial:Q")
    best = frame[frame["chosen"]]
    found = names(f"{row.batch} {row.method} ({row.peak_mib:,.0f} MiB)" for row in best.itertuples())
    died = f" {frame['peak_mib'].isna().sum()} trials died of memory." if frame["peak_mib"].isna().any() else ""
    return alt.layer(rule, named, lines, rings, marks, numbers).properties(
        description=f"Scatter chart of batch size against peak memory for {len(frame)} trials under a limit of "
        f"{frame['limit_mib'].max():,.0f} MiB. The largest batch that fits is {found}.{died}"
    )
