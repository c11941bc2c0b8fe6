"""Figures of the chapter on the six aspects. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, names, points, tooltip


def deployments(table: pd.DataFrame) -> alt.LayerChart:
    """What is recommended on each platform: accuracy against latency with its interval."""
    shades = colour(table, "platform")
    x = {"title": "latency (ms, log scale)", "scale": alt.Scale(type="log", nice=False, padding=14)}
    y = alt.Y(
        "accuracy:Q", title="accuracy on test images", axis=alt.Axis(format=".1%"), scale=alt.Scale(zero=False, padding=12)
    )
    base = alt.Chart(table).encode(y=y)
    tips = tooltip(table, "platform", "objectives", "variant", "accuracy", "latency_ms", "latency_ms_low", "latency_ms_high")
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("latency_ms_low:Q", **x), x2="latency_ms_high:Q", stroke=shades["stroke"]
    )
    marks = points(base).encode(x=alt.X("latency_ms:Q", **x), shape=evidence_shape(), tooltip=tips, **shades)
    told = "; ".join(
        f"{row.platform}, {row.objectives}: {row.variant}, {row.accuracy:.1%}, {row.latency_ms:.3g} ms"
        for row in table.itertuples()
    )
    return alt.layer(bars, marks).properties(
        description=f"Dot plot of accuracy against latency of the recommended variants. {told}."
    )


def techniques(table: pd.DataFrame) -> alt.LayerChart:
    """How many times faster each technique makes a network on each platform; the bar spans the partners it was tried with."""
    frame = table.dropna(subset=["speedup"])
    order = frame.groupby("technique")["speedup"].median().sort_values(ascending=False)
    shades = colour(frame, "platform")
    y = alt.Y("technique:N", title=None, sort=list(order.index), axis=alt.Axis(grid=True))
    base = alt.Chart(frame, height=alt.Step(11)).encode(y=y, yOffset=alt.YOffset("platform:N", sort=None))
    x = {"title": "times faster (log scale)", "scale": alt.Scale(type="log", nice=False, padding=12)}
    columns = ("platform", "technique", "kind", "speedup", "speedup_low", "speedup_high", "points", "n_fit", "n")
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("speedup_low:Q", **x), x2="speedup_high:Q", stroke=shades["stroke"])
    marks = points(base).encode(x=alt.X("speedup:Q", **x), shape=evidence_shape(), tooltip=tooltip(frame, *columns), **shades)
    one = alt.Chart(pd.DataFrame({"one": [1]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="one:Q")
    told = ", ".join(f"{name} {value:.2f}" for name, value in order.items())
    return alt.layer(one, bars, marks).properties(
        description=f"Dot plot of speed-ups by technique and platform. Medians over the platforms: {told}."
    )


def correlations(table: pd.DataFrame) -> alt.LayerChart:
    """Pearson's r of one pair of quantities with its 95 % interval, by platform and level."""
    frame = table.dropna(subset=["r"])
    shades = colour(frame, "level")
    base = alt.Chart(frame, height=alt.Step(18)).encode(
        y=alt.Y("platform:N", title=None, sort=None), yOffset=alt.YOffset("level:N", sort=None)
    )
    first, second = (str(frame[name].iloc[0]).split("_")[0] if len(frame) else "" for name in ("first", "second"))
    x = {"title": f"correlation of {first} and {second}", "scale": alt.Scale(domain=[-1, 1])}
    tips = tooltip(frame, "platform", "level", "n", "r", "r_low", "r_high", "r_squared", "rank_r")
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("r_low:Q", **x), x2="r_high:Q", stroke=shades["stroke"])
    marks = points(base).encode(x=alt.X("r:Q", **x), shape=evidence_shape(), tooltip=tips, **shades)
    told = "; ".join(
        f"{row.platform}, {row.level}: {row.r:.2f} ({row.r_low:.2f} to {row.r_high:.2f})" for row in frame.itertuples()
    )
    return alt.layer(bars, marks).properties(description=f"Dot plot of correlations with 95 % intervals. {told}.")


def four_bits(table: pd.DataFrame) -> alt.LayerChart:
    """Size against accuracy of the files with 8-bit and 4-bit weights."""
    frame = table.assign(size_kib=table["size_bytes"] / 1024)
    shades = colour(frame, "variant", title="weights and activations")
    x = alt.X("size_kib:Q", title="file size (KiB, log scale)", scale=alt.Scale(type="log", nice=False, padding=14))
    y = {"title": "accuracy on test images", "axis": alt.Axis(format="%"), "scale": alt.Scale(zero=False, padding=10)}
    base = alt.Chart(frame).encode(x=x)
    bars = base.mark_rule().encode(y=alt.Y("accuracy_low:Q", **y), y2="accuracy_high:Q", stroke=shades["stroke"])
    tips = tooltip(frame, "variant", "size_bytes", "accuracy", "accuracy_low", "accuracy_high", "agreement", "latency_ms")
    marks = points(base).encode(y=alt.Y("accuracy:Q", **y), shape=evidence_shape(), tooltip=tips, **shades)
    told = ", ".join(f"{row.variant} {row.accuracy:.1%} at {row.size_kib:.0f} KiB" for row in frame.itertuples())
    return alt.layer(bars, marks).properties(
        description=f"Dot plot of accuracy against file size for {names(frame['variant'], 9)}: {told}."
    )
