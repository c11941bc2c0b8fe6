"""Figures about models executed in simulators. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, names, points, tooltip


def simulated_vs_modelled(compared: pd.DataFrame) -> alt.LayerChart:
    """The simulated and the modelled range of each variant on each platform, side by side on a log axis."""
    sides = []
    for way, evidence in (("simulated", compared["evidence"]), ("modelled", "modelled")):
        low, high = compared[f"{way}_ms_low"], compared[f"{way}_ms_high"]
        middle = compared["modelled_ms"] if way == "modelled" else (low * high) ** 0.5
        side = compared[["variant", "platform"]].assign(latency_ms=middle, latency_ms_low=low, latency_ms_high=high)
        sides.append(side.assign(way=way, evidence=evidence))
    frame = pd.concat(sides, ignore_index=True)
    frame["where"] = frame["variant"] + ", " + frame["platform"]
    y = alt.Y("where:N", title=None, sort=None, axis=alt.Axis(grid=True, labelLimit=260))
    # A step is the room of one of the two ranges: higher ones would not fit on a printed page
    base = alt.Chart(frame, height=alt.Step(12)).encode(y=y, yOffset=alt.YOffset("way:N", sort=["simulated", "modelled"]))
    x = {"title": "latency (ms, log scale)", "scale": alt.Scale(type="log", nice=False, padding=12)}
    shades = colour(frame, "way", title="range")
    tips = tooltip(frame, "variant", "platform", "way", "latency_ms", "latency_ms_low", "latency_ms_high")
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("latency_ms_low:Q", **x), x2="latency_ms_high:Q", stroke=shades["stroke"]
    )
    marks = points(base).encode(x=alt.X("latency_ms:Q", **x), shape=evidence_shape(), tooltip=tips, **shades)
    meet = int(compared["overlap"].sum())
    return alt.layer(bars, marks).properties(
        description=f"Simulated and modelled latency ranges for {names(frame['where'])}; {meet} of {len(compared)} overlap."
    )


def operator_instructions(operators: pd.DataFrame) -> alt.LayerChart:
    """Instructions for a multiply-accumulate of every operator that multiplies, in order of execution."""
    frame = operators.dropna(subset=["instructions_per_mac"])
    shades = colour(frame, "operator")
    base = alt.Chart(frame).encode(
        x=alt.X("index:Q", title="operator, in the order of execution"),
        y=alt.Y("instructions_per_mac:Q", title="instructions for a MAC (log scale)", scale=alt.Scale(type="log", nice=True)),
        tooltip=tooltip(frame, "name", "operator", "macs", "instructions", "cycles", "instructions_per_mac"),
    )
    mean = frame["instructions"].sum() / frame["macs"].sum()
    rule = alt.Chart(pd.DataFrame({"mean": [mean]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(y="mean:Q")
    kinds = frame.groupby("operator", sort=False)[["instructions", "macs"]].sum()
    told = ", ".join(f"{kind} {row.instructions / row.macs:.2f}" for kind, row in kinds.iterrows())
    return alt.layer(rule, points(base).encode(shape=evidence_shape(), **shades)).properties(
        description=f"Dot plot of instructions for a multiply-accumulate by operator; mean {mean:.2f}, by kind: {told}."
    )
