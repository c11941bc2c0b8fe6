"""A figure about what fills a device's RAM while a network runs. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK, PALETTE
from .encodings import evidence_shape, tooltip

# kind of `platforms.arena.memory_timeline` -> what the legend says, from the bottom of the stack up
KINDS = {"input": "read here", "output": "written here", "held": "held for later"}
WAYS = {True: "overwrites an input", False: "needs room beside it"}
DASH = [4, 3]


def memory_timeline(timeline: pd.DataFrame, limit_kib: float | None = None) -> alt.LayerChart:
    """KiB alive while each operator runs, stacked by what they are for; a mark on top says how the sum is known.

    `timeline` as `platforms.memory.memory_timeline` gives it; `limit_kib` draws a line, for example the device's RAM.
    """
    frame = timeline.assign(part_kib=timeline["part_bytes"] / 1024, live_kib=timeline["live_bytes"] / 1024)
    frame = frame.assign(part=frame["kind"].map(KINDS), order=frame["kind"].map({k: i for i, k in enumerate(KINDS)}))
    frame["way"] = frame["in_place"].astype(bool).map(WAYS)
    tops = frame.drop_duplicates("index")
    x = alt.X("index:Q", title="operator, in the order of execution", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(nice=False))
    scale = alt.Scale(domain=list(KINDS.values()), range=PALETTE[: len(KINDS)])
    fill = alt.Fill("part:N", scale=scale, title="bytes that are", legend=alt.Legend(symbolType="square"))
    size = max(2.0, min(14.0, 480 / max(len(tops), 1)))
    bars = (
        alt.Chart(frame[frame["part_kib"] > 0])
        .mark_bar(size=size)
        .encode(
            x=x,
            y=alt.Y("part_kib:Q", title="alive in the arena (KiB)", stack="zero"),
            fill=fill,
            order=alt.Order("order:Q"),
            tooltip=tooltip(frame, "index", "name", "operator", "part", "part_kib", "live_kib", "in_place"),
        )
    )
    # A field and not a fixed colour: `assumed` in the legend of the evidence is a stroke and would have none.
    ways = alt.Scale(domain=list(WAYS.values()), range=[PALETTE[3], PALETTE[6]])
    marks = (
        alt.Chart(tops)
        .mark_point(strokeWidth=1.5, filled=False)
        .encode(
            x=x,
            y=alt.Y("live_kib:Q"),
            shape=evidence_shape(),
            stroke=alt.Stroke("way:N", scale=ways, title="operator", legend=alt.Legend(symbolType="square")),
            size=alt.value(26),
            tooltip=tooltip(tops, "index", "name", "operator", "live_kib", "in_place"),
        )
    )
    layers = [bars, marks]
    told = ""
    if limit_kib is not None:
        limit = pd.DataFrame({"limit_kib": [limit_kib], "label": [f"{limit_kib:,.0f} KiB"]})
        line = alt.Chart(limit).mark_rule(strokeDash=DASH, color=INK).encode(y="limit_kib:Q")
        text = alt.Chart(limit).mark_text(align="right", dy=-7, color=INK)
        text = text.encode(x=alt.value("width"), y="limit_kib:Q", text="label")
        layers += [line, text]
        told = f" The line stands at {limit_kib:,.0f} KiB."
    peak = tops.loc[tops["live_kib"].idxmax()]
    return alt.layer(*layers).properties(
        description=f"Stacked bars of the bytes alive while each of {len(tops)} operators runs. Most, {peak['live_kib']:,.0f} "
        f"KiB, at operator {peak['index']} ({peak['name']}); {int(tops['in_place'].sum())} operators work in place.{told}"
    )
