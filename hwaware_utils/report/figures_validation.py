"""Figures that hold models against what others have measured. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, names, tooltip


def predicted_vs_published(validation: pd.DataFrame) -> alt.LayerChart:
    """Each held-out row: published latency across, what the model that never saw it says up, with its 90 % interval.

    The shape is the split and not the evidence: every point is a modelled number against a published one.
    """
    scale = alt.Scale(type="log", nice=False, padding=12)
    ends = [validation[["published_ms", "predicted_ms"]].min().min(), validation[["published_ms", "predicted_ms"]].max().max()]
    line = alt.Chart(pd.DataFrame({"published_ms": ends, "predicted_ms": ends})).mark_line(
        color=INK, strokeDash=[4, 3], opacity=0.6
    )
    line = line.encode(x=alt.X("published_ms:Q", scale=scale), y=alt.Y("predicted_ms:Q", scale=scale))
    pick = alt.selection_point(fields=["platform"], bind="legend")
    faded = alt.when(pick).then(alt.value(0.85)).otherwise(alt.value(0.06))
    shades = colour(validation, "platform")
    base = alt.Chart(validation).encode(
        x=alt.X("published_ms:Q", title="published latency (ms, log scale)", scale=scale), opacity=faded
    )
    tips = tooltip(
        validation, "platform", "family", "alpha", "resolution", "precision", "threads", "published_ms", "predicted_ms",
        "latency_ms_low", "latency_ms_high", "relative_error", "split",
    )  # fmt: skip
    bars = base.mark_rule().encode(y=alt.Y("latency_ms_low:Q", scale=scale), y2="latency_ms_high:Q", stroke=shades["stroke"])
    shape = alt.Shape("split:N", legend=alt.Legend(title="held out", symbolFillColor=INK, symbolStrokeColor=INK))
    marks = base.mark_point(filled=True, size=45, strokeWidth=1).encode(
        y=alt.Y("predicted_ms:Q", title="predicted latency (ms, log scale)", scale=scale), shape=shape, tooltip=tips, **shades
    )
    within = (validation["relative_error"].abs() <= 0.1).mean()
    return alt.layer(line, bars, marks.add_params(pick)).properties(
        height=360,
        description=f"Scatter plot of predicted against published latency for {len(validation)} held-out measurements on "
        f"{names(validation.platform)}, {ends[0]:.3g} to {ends[1]:.4g} ms; {within:.0%} lie within 10 % of the diagonal.",
    )
