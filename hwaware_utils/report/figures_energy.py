"""Figures about energy, heat and what an optimisation brings. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK, PALETTE
from .encodings import colour, names, tooltip

PARTS = ["compute", "memory", "static"]


def energy_breakdown(table: pd.DataFrame) -> alt.Chart:
    """Share of compute, memory and static energy in an inference of each variant, a panel a platform."""
    whole = table.groupby(["platform", "variant"])["energy_mj"].transform("sum")
    frame = table.assign(share=table["energy_mj"] / whole)
    scale = alt.Scale(domain=PARTS, range=PALETTE[: len(PARTS)])
    described = frame.pivot_table(index="platform", columns="part", values="share", sort=False)
    told = "; ".join(
        f"{platform}: " + ", ".join(f"{part} {row[part]:.0%}" for part in PARTS if part in row and row[part] == row[part])
        for platform, row in described.iterrows()
    )
    return (
        alt.Chart(frame, height=alt.Step(18))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="share of the energy of an inference", axis=alt.Axis(format="%")),
            y=alt.Y("variant:N", title=None),
            fill=alt.Fill("part:N", title="energy for", scale=scale, legend=alt.Legend(symbolType="square")),
            order=alt.Order("part:O"),
            tooltip=tooltip(frame, "platform", "variant", "part", "energy_mj", "energy_mj_low", "energy_mj_high", "share"),
        )
        .facet(row=alt.Row("platform:N", title=None, header=alt.Header(labelAngle=0, labelAnchor="start", labelOrient="top")))
        .resolve_scale(y="independent")
        .properties(description=f"Stacked bars of where the energy of an inference goes, mean over variants. {told}.")
    )


def heating(curves: pd.DataFrame) -> alt.LayerChart:
    """Temperature of the chip over time at full load, with its range, and where it throttles (a dashed line)."""
    shades = colour(curves, "platform")
    x = alt.X("time_s:Q", title="seconds of uninterrupted inference (log scale)", scale=alt.Scale(type="log", nice=False))
    base = alt.Chart(curves).encode(x=x)
    y = alt.Y("temperature_c:Q", title="temperature (°C)", scale=alt.Scale(zero=False))
    lines = base.mark_line(strokeWidth=2).encode(y=y, stroke=shades["stroke"])
    limit = base.mark_line(strokeDash=[4, 3], strokeWidth=1, opacity=0.8).encode(y="limit_c:Q", stroke=shades["stroke"])
    tips = tooltip(curves, "platform", "time_s", "temperature_c", "temperature_c_low", "temperature_c_high", "limit_c")
    dots = base.mark_point(opacity=0, size=60).encode(y=y, tooltip=tips)
    last = curves.sort_values("time_s").groupby("platform", sort=False).tail(1)
    told = ", ".join(f"{row.platform} {row.temperature_c:.0f} of {row.limit_c:.0f} °C" for row in last.itertuples())
    return alt.layer(lines, limit, dots).properties(
        description=f"Line chart of chip temperature over time at full load, throttling limit dashed. At the end: {told}."
    )


def effectiveness(
    table: pd.DataFrame, metric: str = "speedup", title: str = "times faster than baseline-fp32"
) -> alt.LayerChart:
    """Variants down, platforms across, the ratio as number and colour: blue is better than the reference, orange worse."""
    frame = table.assign(value=table[metric], shown=[f"{value:.2f}" for value in table[metric]])
    most = max(frame["value"].max(), 1 / frame["value"].min(), 1.01)
    # Both ends are legible under the same ink in light and dark mode: the opacity stays low
    scale = alt.Scale(type="log", domain=[1 / most, 1, most], range=[PALETTE[1], "#888888", PALETTE[0]])
    across = alt.X("platform:N", title=None, sort=None, axis=alt.Axis(labelAngle=0, orient="top", labelLimit=110))
    base = alt.Chart(frame, height=alt.Step(22)).encode(x=across, y=alt.Y("variant:N", title=None, sort=None))
    tips = tooltip(table, "variant", "platform", metric, f"{metric}_low", f"{metric}_high", "accuracy_change_points")
    legend = alt.Legend(title=title, titleLimit=400, format=".2~g")
    cells = base.mark_rect(opacity=0.55).encode(color=alt.Color("value:Q", scale=scale, legend=legend), tooltip=tips)
    best = frame.loc[frame.groupby("platform", sort=False)["value"].idxmax()]
    told = "; ".join(f"{row.platform}: {row.variant} {row.value:.2f}" for row in best.itertuples())
    return alt.layer(cells, base.mark_text(color=INK, fontSize=11).encode(text="shown:N")).properties(
        description=f"Heat map, {title}, for {names(frame['variant'])} on each platform. Best: {told}."
    )
