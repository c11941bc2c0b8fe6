"""Figures about applications: how long a battery lasts, where its energy goes, what a hardware generation buys."""

import altair as alt
import pandas as pd

from .charts import INK, PALETTE
from .encodings import colour, evidence_shape, names, points, tooltip

LOG = alt.Scale(type="log", nice=False)
TENS = [10.0**power for power in range(-2, 7)]
PARTS = {
    "inference": "inference", "awake": "awake around it", "sleep": "asleep", "base": "always on", "regulator": "regulator",
    "self_discharge": "self-discharge",
}  # fmt: skip


def battery_life(sweep: pd.DataFrame, batteries: pd.DataFrame) -> alt.LayerChart:
    """Battery life in days against inferences an hour, log-log, one line a scenario with its range; a mark at its own rate.

    A line is flat where sleep and the rest rule and falls where inferring does; the upright tick is the rate where both weigh
    the same. `sweep` is `sweep_duty`'s table, `batteries` is `estimate_batteries`'.
    """
    own = (
        batteries.dropna(subset=["life_h"]).assign(days=lambda f: f["life_h"] / 24) if "life_h" in batteries else batteries[:0]
    )
    lines = sweep[sweep["scenario"].isin(own["scenario"])]
    lines = lines.assign(**{f"days{end}": lines[f"life_h{end}"] / 24 for end in ("", "_low", "_high")})
    shades = colour(lines, "scenario")
    x = alt.X(
        "inferences_per_hour:Q", title="inferences an hour (log scale)", scale=LOG, axis=alt.Axis(format=",~r", values=TENS)
    )
    y = alt.Y("days:Q", title="battery life (days, log scale)", scale=LOG, axis=alt.Axis(format=",~r", values=TENS))
    base = alt.Chart(lines).encode(x=x)
    band = base.mark_area(opacity=0.12).encode(y=alt.Y("days_low:Q", scale=LOG), y2="days_high:Q", fill=shades["fill"])
    line = base.mark_line(strokeWidth=2).encode(y=y, stroke=shades["stroke"])
    marks = points(alt.Chart(own)).encode(x="inferences_per_hour:Q", y="days:Q", shape=evidence_shape().legend(None), **shades)
    tips = tooltip(own, "scenario", "variant", "inferences_per_hour", "days", "life_h_low", "life_h_high", "crossover_per_hour")
    ticks = _crossovers(lines, own)
    tick = alt.Chart(ticks).mark_tick(orient="vertical", thickness=2, size=18)
    tick = tick.encode(x="inferences_per_hour:Q", y="days:Q", color=alt.value(INK))
    told = "; ".join(
        f"{row.scenario} {row.days:.3g} days at {row.inferences_per_hour:,.0f} an hour" for row in own.itertuples()
    )
    return alt.layer(band, line, tick, marks.encode(tooltip=tips)).properties(
        height=340, description=f"Line chart, both axes logarithmic, of battery life against inferences an hour. {told}."
    )


def _crossovers(lines: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """The point of each line that is nearest to the rate where inferring and the rest weigh the same."""
    rows = []
    for row in own.dropna(subset=["crossover_per_hour"]).itertuples():
        line = lines[lines["scenario"] == row.scenario]
        nearest = line.loc[(line["inferences_per_hour"] / row.crossover_per_hour - 1).abs().idxmin()]
        rows.append({"inferences_per_hour": row.crossover_per_hour, "days": nearest["days"]})
    return pd.DataFrame(rows, columns=["inferences_per_hour", "days"])


def energy_shares(batteries: pd.DataFrame) -> alt.Chart:
    """Share of the drawn energy by part, a bar a scenario that can be fed."""
    fed = batteries[batteries["feasible"]]
    order = fed["scenario"].tolist()
    columns = [f"share_{part}" for part in PARTS]
    long = fed.melt(["scenario", "variant", "evidence"], columns, "part", "share").dropna(subset=["share"])
    long["part"] = long["part"].str.removeprefix("share_")
    long["order"] = long["part"].map({part: i for i, part in enumerate(PARTS)})
    long["goes into"] = long["part"].map(PARTS)
    scale = alt.Scale(domain=list(PARTS.values()), range=PALETTE[: len(PARTS)])
    told = "; ".join(f"{row.scenario} {row.share_inference:.1%}" for row in fed.itertuples())
    return (
        alt.Chart(long, height=alt.Step(26))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="share of the energy drawn", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("scenario:N", title=None, sort=order),
            fill=alt.Fill("goes into:N", title="energy goes into", scale=scale, legend=alt.Legend(symbolType="square")),
            order=alt.Order("order:Q"),
            tooltip=tooltip(long, "scenario", "variant", "goes into", "share"),
        )
        .properties(description=f"Stacked bars of where each application's energy goes. Into the inference itself: {told}.")
    )


def generations(table: pd.DataFrame) -> alt.VConcatChart:
    """How many times better than the first figure of its series each generation is, as published and with both clocks set
    equal, a panel a series; what is missing is said."""
    seen = table.dropna(subset=["speed"])
    equal = seen.dropna(subset=["speed_per_clock"]).query("order > 0")
    seen, equal = (
        seen.assign(times=seen["speed"], compared="as published"),
        equal.assign(times=equal["speed_per_clock"], compared="at equal clocks"),
    )
    known = pd.concat([seen, equal], ignore_index=True)
    x = alt.Scale(type="log", domain=[0.95 * min(known["times"].min(), 0.75), 1.1 * max(known["times"].max(), 2)], nice=False)
    series = table["series"].unique().tolist()
    panels = [_panel(table[table["series"] == one], known, x, last=one == series[-1]) for one in series]
    best = seen.loc[seen.groupby("series", sort=False)["speed"].idxmax()]
    told = "; ".join(f"{row.generation} {row.speed:.3g} ({row.short})" for row in best.itertuples())
    without = names(table.loc[table["value"].isna(), "generation"].unique(), limit=20)
    return alt.vconcat(*panels, spacing=8).properties(
        description="Dot plots, log axis: how many times better than the first published figure of its series each hardware "
        f"generation is. Best: {told}. Some series have no figure for {without}."
    )


def _panel(part: pd.DataFrame, known: pd.DataFrame, scale: alt.Scale, last: bool) -> alt.LayerChart:
    axis = alt.Axis(values=[1, 2, 5, 10, 20], format="~r", labels=last, ticks=last)
    x = alt.X("times:Q", scale=scale, axis=axis, title="times better than the first (log scale)" if last else None)
    order = part["generation"].tolist()
    y = alt.Y("generation:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(grid=True, minExtent=70))
    heading = alt.Title(f"{part['family'].iloc[0]}: {part['short'].iloc[0]}", anchor="start", color=INK, fontSize=12)
    own, unknown = known[known["series"] == part["series"].iloc[0]], part[part["speed"].isna()]
    tips = tooltip(known, "generation", "title", "value", "unit", "clock_mhz", "speed", "speed_per_clock", "device", "note")
    base = alt.Chart(own, height=alt.Step(18), title=heading)
    marks = points(base).encode(x=x, y=y, shape=evidence_shape(), tooltip=tips, **colour(known, "compared"))
    one = alt.Chart(pd.DataFrame({"times": [1.0]})).mark_rule(color=INK, opacity=0.5).encode(x=x)
    said = pd.DataFrame({"generation": unknown["generation"], "times": 1.06, "said": [_said(u) for u in unknown.itertuples()]})
    text = alt.Chart(said).mark_text(align="left", color=INK, opacity=0.8).encode(x=x, y=y, text="said:N")
    return alt.layer(one, marks, text)


def _said(row) -> str:
    return row.found if pd.isna(row.value) else f"{row.value:g} {row.unit}, nothing before it to compare with"
