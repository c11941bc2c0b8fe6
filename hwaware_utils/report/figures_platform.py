"""Figures about devices: how long, and limited by what. Table in, chart out."""

import altair as alt
import numpy as np
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, interval, names, points, tooltip

MS_LOG = {"title": "latency (ms, log scale)", "scale": alt.Scale(type="log", nice=False, padding=15)}
MOST_LABELS = 8  # more would cover each other; the tooltip always tells


def latency_bars(latency: pd.DataFrame) -> alt.LayerChart:
    """Latency of every variant on every platform with its interval. Dots, not bars: a log axis has no zero to start from."""
    variants = latency["variant"].drop_duplicates().tolist()
    base = alt.Chart(latency, height=alt.Step(24)).encode(
        x=alt.X("latency_ms:Q", **MS_LOG),
        y=alt.Y("variant:N", sort=variants, title=None, axis=alt.Axis(grid=True)),
    )
    pick = alt.selection_point(fields=["platform"], bind="legend")
    shades = colour(latency, "platform")
    faded = alt.when(pick).then(alt.value(0.9)).otherwise(alt.value(0.1))
    tips = tooltip(latency, "variant", "platform", "runtime", "threads", "latency_ms", "latency_ms_low", "latency_ms_high")
    bars = base.mark_rule().encode(x="latency_ms_low:Q", x2="latency_ms_high:Q", stroke=shades["stroke"], opacity=faded)
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, opacity=faded, **shades).add_params(pick)
    fast, slow = latency.loc[latency["latency_ms"].idxmin()], latency.loc[latency["latency_ms"].idxmax()]
    return alt.layer(bars.properties(data=interval(latency, "latency_ms")), marks).properties(
        description=f"Dot plot of latency on a log axis for {len(variants)} variants on {names(latency['platform'])}: from "
        f"{fast['latency_ms']:.3g} ms ({fast['variant']} on {fast['platform']}) to {slow['latency_ms']:.3g} ms "
        f"({slow['variant']} on {slow['platform']})."
    )


def roofline(points_: pd.DataFrame, roofs: pd.DataFrame) -> alt.LayerChart:
    """Roofs min(peak, bandwidth x intensity) and where the models stand below them (Williams 2009), log-log."""
    ridge = roofs["peak_gmacs_s"] / roofs["bandwidth_gb_s"]
    seen = pd.concat([points_["intensity_macs_per_byte"], ridge])
    grid = np.geomspace(seen.min() / 2, seen.max() * 2, 60)
    lines = roofs.merge(pd.DataFrame({"intensity": grid}), how="cross")
    lines["roof"] = np.minimum(lines["peak_gmacs_s"], lines["bandwidth_gb_s"] * lines["intensity"])
    both = pd.concat([points_[["platform"]], roofs[["platform"]]])
    shades = colour(both, "platform")
    log = alt.Scale(type="log", nice=False)
    x = {"title": "operational intensity (MACs per byte)", "scale": log}
    y = {"title": "throughput (GMACs per second)", "scale": log}
    roof = (
        alt.Chart(lines)
        .mark_line(strokeWidth=1.5, opacity=0.8)
        .encode(
            x=alt.X("intensity:Q", **x),
            y=alt.Y("roof:Q", **y),
            stroke=shades["stroke"],
            strokeDash=alt.StrokeDash("precision:N", title="roof", legend=alt.Legend(symbolStrokeColor=INK)),
            tooltip=tooltip(lines, "platform", "precision", "peak_gmacs_s", "bandwidth_gb_s"),
        )
    )
    tips = tooltip(points_, "variant", "platform", "intensity_macs_per_byte", "throughput_gmacs_s")
    marks = points(alt.Chart(points_)).encode(
        x=alt.X("intensity_macs_per_byte:Q", **x),
        y=alt.Y("throughput_gmacs_s:Q", **y),
        shape=evidence_shape(),
        tooltip=tips,
        **shades,
    )
    labels = (
        alt.Chart(points_)
        .mark_text(dy=-12, color=INK)
        .encode(x="intensity_macs_per_byte:Q", y="throughput_gmacs_s:Q", text="variant:N")
    )
    return alt.layer(roof, marks, *([labels] if len(points_) <= MOST_LABELS else [])).properties(
        height=340,
        description=f"Roofline chart with log axes for {names(both['platform'])}: {len(points_)} points below the roofs, from "
        f"{points_['intensity_macs_per_byte'].min():.3g} to {points_['intensity_macs_per_byte'].max():.3g} MACs per byte and "
        f"from {points_['throughput_gmacs_s'].min():.3g} to {points_['throughput_gmacs_s'].max():.3g} GMACs per second.",
    )
