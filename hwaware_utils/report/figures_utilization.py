"""Figures about what of a machine is used. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import PRECISIONS, colour, evidence_shape, names, points, tooltip

# the resources that can set a limit, in the order of the chart
LIMITING = ["compute", "simd", "issue", "load_ports", "memory_bandwidth", "ram", "flash", "heat"]
_PERCENT = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
_FULL = alt.Scale(domain=[0, 1], nice=False, padding=8)
_HEADER = alt.Header(labelAngle=0, labelAnchor="start", labelOrient="top")


def utilization(table: pd.DataFrame) -> alt.FacetChart:
    """Share of every resource that each configuration uses, with its interval, a panel a platform.

    `table` has the columns of `platforms.utilization.COLUMNS` and `precision`; 100 % is the machine's limit.
    """
    frame = table[table["resource"].isin(LIMITING)].dropna(subset=["utilization"]).reset_index(drop=True)
    shades = colour(frame, "precision")
    base = alt.Chart(frame, height=alt.Step(13)).encode(
        y=alt.Y("resource:N", title=None, sort=LIMITING, axis=alt.Axis(grid=True)),
        yOffset=alt.YOffset("precision:N", sort=PRECISIONS),  # the same in both layers: by itself it would follow `fill`
    )
    tips = tooltip(
        frame, "variant", "platform", "resource", "utilization", "utilization_low", "utilization_high", "limit", "unit"
    )
    rules = base.mark_rule(opacity=0.35).encode(
        x=alt.X("utilization_low:Q", title="share of the limit that is used", axis=_PERCENT, scale=_FULL),
        x2="utilization_high:Q",
        stroke=shades["stroke"],
    )
    marks = points(base).encode(x="utilization:Q", shape=evidence_shape(), tooltip=tips, **shades)
    most = frame.loc[frame.groupby(["platform", "precision"], sort=False)["utilization"].idxmax()]
    told = "; ".join(f"{r.platform} {r.precision}: {r.resource} {r.utilization:.0%} ({r.variant})" for r in most.itertuples())
    return (
        alt.layer(rules, marks)
        .facet(row=alt.Row("platform:N", title=None, header=_HEADER))
        .resolve_scale(y="independent")
        .properties(description=f"Dot plots of the share of {names(frame['resource'], 8)} in use. The largest: {told}.")
    )


def bottlenecks(table: pd.DataFrame, near: float) -> alt.FacetChart:
    """The resource that limits each configuration, or is used most, with its interval; dashed: from where on it limits.

    `table` is that of `decide.bottleneck.find_bottlenecks`.
    """
    frame = table.dropna(subset=["utilization"]).assign(near=near).reset_index(drop=True)
    shades = colour(frame, "resource", title="most used")
    base = alt.Chart(frame, height=alt.Step(20)).encode(y=alt.Y("variant:N", title=None, sort=None, axis=alt.Axis(grid=True)))
    tips = tooltip(frame, "variant", "platform", "bottleneck", "resource", "utilization", "utilization_low", "utilization_high")
    rules = base.mark_rule(strokeWidth=2, opacity=0.6).encode(
        x=alt.X("utilization_low:Q", title="share of the limit that is used", axis=_PERCENT, scale=_FULL),
        x2="utilization_high:Q",
        stroke=shades["stroke"],
    )
    marks = points(base).encode(x="utilization:Q", shape=evidence_shape(), tooltip=tips, **shades)
    line = alt.Chart(frame).mark_rule(strokeDash=[4, 3], color=INK).encode(x="mean(near):Q")
    limited = frame[frame["utilization"] >= near]
    told = "; ".join(f"{r.variant} on {r.platform}: {r.resource} {r.utilization:.0%}" for r in limited.itertuples())
    return (
        alt.layer(line, rules, marks)
        .facet(row=alt.Row("platform:N", title=None, header=_HEADER))
        .resolve_scale(y="independent")
        .properties(
            description=f"Dot plot of the most used resource of {len(frame)} configurations; {len(limited)} reach {near:.0%}: "
            f"{told or 'none'}."
        )
    )
