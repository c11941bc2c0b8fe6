"""Figures of the fronts: which configurations nothing beats, how surely, and the same one in every trade-off."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, interval, names, points, tooltip
from .figures_platform import MS_LOG

ACCURACY = {"title": "accuracy (0-1)", "scale": alt.Scale(zero=False, padding=12)}
LOG = alt.Scale(type="log", nice=False, padding=20)
PANELS = {  # front -> column of the horizontal axis and its title
    "latency": ("latency_ms", "latency (ms, log scale)"),
    "size": ("size_kib", "model file (KiB, log scale)"),
    "energy": ("energy_mj", "energy per inference (mJ, log scale)"),
}


def pareto(frame: pd.DataFrame) -> alt.LayerChart:
    """Latency against accuracy; a step line joins what nothing beats in both. A click in the legend singles a platform out."""
    base = alt.Chart(frame).encode(
        x=alt.X("latency_ms:Q", **MS_LOG),
        y=alt.Y("accuracy:Q", title="accuracy (0-1)", scale=alt.Scale(zero=False, padding=12)),
    )
    pick = alt.selection_point(fields=["platform"], bind="legend")
    shades = colour(frame, "platform")

    def seen(strong: float) -> alt.Then:
        return alt.when(pick).then(alt.value(strong)).otherwise(alt.value(0.05))

    bars = base.mark_rule().encode(x="latency_ms_low:Q", x2="latency_ms_high:Q", stroke=shades["stroke"], opacity=seen(0.4))
    front = base.mark_line(interpolate="step-after", strokeWidth=1.5).encode(stroke=shades["stroke"], opacity=seen(0.8))
    tips = tooltip(
        frame, "variant", "platform", "accuracy", "latency_ms", "latency_ms_low", "latency_ms_high", "size_bytes", "energy_mj"
    )
    dominated = points(base).encode(shape=evidence_shape(), tooltip=tips, opacity=seen(0.3), **shades)
    best = points(base).encode(shape=evidence_shape(), tooltip=tips, opacity=seen(1.0), **shades).add_params(pick)
    on_front = frame["on_front"].astype(bool)
    kept = frame[on_front].groupby("platform", sort=False)["variant"].apply(names)
    told = "; ".join(f"on {platform} {variants}" for platform, variants in kept.items())
    return alt.layer(
        bars.properties(data=interval(frame, "latency_ms")),
        front.properties(data=frame[on_front]),
        dominated.properties(data=frame[~on_front]),
        best.properties(data=frame[on_front]),
    ).properties(
        height=340,
        description=f"Scatter chart of latency (log axis) against accuracy, {len(frame)} points. Not dominated: {told}.",
    )


def linked_fronts(table: pd.DataFrame) -> alt.VConcatChart:
    """Accuracy against latency, size and energy of one platform (`survey_fronts`), which a list selects.

    A mark is as strong as its probability to be on that panel's front; a click on it singles the configuration out in all
    three and names it, a click beside the marks gives all back.
    """
    frame = table[table["comparable"]].assign(size_kib=table["size_bytes"] / 1024)
    frame = frame.rename(columns={"size_bytes_evidence": "size_kib_evidence"})
    frame = frame[[name for name in _shown_columns() if name in frame]]
    platform = _platform_list(table)
    # Only in this order do Altair and Vega-Lite agree: the filter stands in each panel, the selection on the whole chart,
    # with the names that Altair gives the marks of its panels (as in figures_study.linked_tradeoffs).
    clicked = alt.selection_point(name="configuration", fields=["variant"])
    panels = [_panel(frame, x, platform, clicked).properties(height=220) for x in PANELS]
    views = [f"marks_{x}_{k}" for k, x in enumerate(PANELS)]
    selection = alt.TopLevelSelectionParameter(**clicked.param.to_dict(), views=views)
    counts = {x: frame[frame[f"on_{x}_front"]].groupby("platform", sort=False).size().to_dict() for x in PANELS}
    told = "; ".join(f"against {x}, " + ", ".join(f"{n} on {p}" for p, n in found.items()) for x, found in counts.items())
    return alt.vconcat(*panels, params=[platform, selection]).properties(
        description=f"Three linked scatter charts of {len(frame)} configurations: accuracy against latency, file size and "
        f"energy, on a platform that a list selects. On the fronts: {told}."
    )


def _shown_columns() -> list[str]:
    """What the three panels read: a chart carries all of its table into the page."""
    own = [f"{column}{end}" for column, _ in PANELS.values() for end in ("", "_low", "_high", "_evidence")]
    fronts = [name for x in PANELS for name in (f"on_{x}_front", f"on_{x}_front_probability", f"{x}_dominated_by")]
    return ["variant", "precision", "platform", "accuracy", "evidence", *own, *fronts]


def _platform_list(frame: pd.DataFrame) -> alt.VariableParameter:
    """A list of the platforms below the chart; pure Vega, so that it needs no server."""
    known = frame["platform"].drop_duplicates().tolist()
    chosen = alt.param(
        name="platform", value=known[0] if known else "", bind=alt.binding_select(options=known, name="platform ")
    )
    return chosen.param


def _panel(frame: pd.DataFrame, x: str, platform, clicked: alt.Parameter) -> alt.LayerChart:
    column, title = PANELS[x]
    seen = alt.Chart(frame).transform_filter(f"datum.platform == {platform.name}")
    base = seen.encode(x=alt.X(f"{column}:Q", title=title, scale=LOG), y=alt.Y("accuracy:Q", **ACCURACY))
    shades, probability = colour(frame, "precision"), f"on_{x}_front_probability"
    strength = alt.Opacity(f"{probability}:Q", scale=alt.Scale(domain=[0, 1], range=[0.2, 1]), legend=None)
    strong = alt.when(clicked).then(strength).otherwise(alt.value(0.08))
    faint = alt.when(clicked).then(alt.value(0.25)).otherwise(alt.value(0.02))
    tips = tooltip(
        frame, "variant", "platform", "accuracy", "latency_ms", "size_kib", "energy_mj", probability, f"{x}_dominated_by"
    )
    ends = [f"{column}_low", f"{column}_high"]
    bars = base.mark_rule().encode(x=f"{ends[0]}:Q", x2=f"{ends[1]}:Q", stroke=shades["stroke"], opacity=faint)
    front = base.transform_filter(f"datum.on_{x}_front").mark_line(
        interpolate="step-after", strokeWidth=1, color=INK, opacity=0.5
    )
    known = f"{column}_evidence" if f"{column}_evidence" in frame else "evidence"
    marks = points(base).encode(shape=evidence_shape(known), tooltip=tips, opacity=strong, **shades)
    told = seen.transform_calculate(told=f"datum.variant + ', ' + format(datum.{probability}, '.2f')")
    label = told.mark_text(dy=-13, color=INK).encode(
        x=f"{column}:Q",
        y="accuracy:Q",
        text="told:N",
        opacity=alt.when(clicked, empty=False).then(alt.value(1)).otherwise(alt.value(0)),
    )
    # Labels lie below the marks: an invisible one on top would catch the clicks meant for a mark.
    return alt.layer(*([bars] if set(ends) <= set(frame) else []), front, label, marks.properties(name=f"marks_{x}"))


def front_probability(table: pd.DataFrame) -> alt.LayerChart:
    """How likely each configuration of a platform (chosen from a list) is to be on the front of all four quantities.

    The rule is the range from errors that are not shared at all to errors that are wholly shared.
    """
    frame = table[table["comparable"]].sort_values("on_front_probability", ascending=False, kind="stable")
    frame = frame.assign(estimate=frame["on_front"].map({True: "on the front", False: "dominated"}))
    ends = ["on_front_probability", "on_front_probability_low", "on_front_probability_high"]
    frame = frame[["variant", "platform", "estimate", *ends, "dominated_by", "evidence"]]
    platform = _platform_list(table)
    base = (
        alt.Chart(frame, height=alt.Step(20))
        .transform_filter(f"datum.platform == {platform.name}")
        .encode(
            x=alt.X("on_front_probability:Q", title="probability of being on the front", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("variant:N", sort=None, title=None, axis=alt.Axis(grid=True)),
        )
    )
    shades = colour(frame, "estimate", title="by its central values")
    bars = base.mark_rule(opacity=0.5, strokeWidth=2).encode(x=f"{ends[1]}:Q", x2=f"{ends[2]}:Q", stroke=shades["stroke"])
    tips = tooltip(frame, "variant", "platform", *ends, "dominated_by")
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    sure = frame[frame["on_front_probability"] >= 0.9].groupby("platform")["variant"].apply(names)
    sure = sure[[name for name in table["platform"].unique() if name in sure]]
    told = "; ".join(f"on {name} {variants}" for name, variants in sure.items()) or "none"
    return (
        alt.layer(bars, marks)
        .add_params(alt.Parameter(platform.name, param=platform))
        .properties(
            description=f"Dot plot of the probability that a configuration is on the front, on a platform that a list selects. "
            f"At least 0.9: {told}."
        )
    )
