"""Figures about running a network in less: smaller activations, several files, an early way out. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK, PALETTE
from .encodings import PRECISIONS, colour, evidence_shape, interval, names, points, tooltip


def activation_arena(table: pd.DataFrame) -> alt.LayerChart:
    """Tensor arena by number format: a bar for what is planned, a mark for what LiteRT took; accuracy at the end."""
    frame = table.assign(label=[f"accuracy {value:.3f}" for value in table["accuracy"]])
    order = frame["precision"].tolist()
    known = {"arena_kib": frame["arena_evidence"], "measured_arena_kib": frame["evidence"]}
    both = pd.concat([frame.assign(kib=frame[name], evidence=evidence) for name, evidence in known.items()])
    x = alt.X("kib:Q", title="tensor arena (KiB)", axis=alt.Axis(tickCount=5), scale=alt.Scale(zero=True, nice=True))
    y = alt.Y("precision:N", sort=order, title=None)
    planned = alt.Chart(frame.assign(kib=frame["arena_kib"]), height=alt.Step(44)).encode(x=x, y=y)
    tips = tooltip(both, "precision", "kib", "ratio", "peak_name", "accuracy", "accuracy_n")
    shades = _shades("precision", order)
    bars = planned.mark_bar(height={"band": 0.5}, opacity=0.45).encode(fill=shades["fill"])
    text = planned.mark_text(align="left", dy=-17, color=INK).encode(x=alt.value(2), text="label:N")
    marks = points(alt.Chart(both)).encode(x=x, y=y, shape=evidence_shape(), tooltip=tips, **shades)
    told = "; ".join(
        f"{row.precision} {row.arena_kib:,.0f} KiB planned, {row.measured_arena_kib:,.0f} measured, accuracy {row.accuracy:.3f}"
        for row in frame.itertuples()
    )
    return alt.layer(bars, text, marks).properties(description=f"Bar chart of the tensor arena by number format: {told}.")


def _shades(field: str, values: list) -> dict:
    """Fill and stroke without a legend of their own; a precision keeps the colour that it has on the other pages.

    A field, not a fixed colour: that would also paint the symbols in the legend of the evidence.
    """
    shades = [PALETTE[PRECISIONS.index(value)] if value in PRECISIONS else PALETTE[6] for value in values]
    scale = alt.Scale(domain=values, range=shades if field == "precision" else PALETTE[:1])
    return {
        "fill": alt.Fill(f"{field}:N", scale=scale, legend=None),
        "stroke": alt.Stroke(f"{field}:N", scale=scale, legend=None),
    }


WAYS = {"latency_ms": "all stay loaded", "reload_ms": "loaded in turn"}


def sharding(table: pd.DataFrame) -> alt.VConcatChart:
    """Peak memory with one segment loaded at a time, and time of an inference, by the number of segments."""
    x = alt.X("segments:O", title="segments", axis=alt.Axis(labelAngle=0))
    shades = colour(table, "variant")
    memory = alt.Chart(table.assign(peak_mib=table["peak_kib"] / 1024), height=170).encode(
        x=x,
        y=alt.Y("peak_mib:Q", title="peak memory (MiB)", scale=alt.Scale(zero=True, nice=True), axis=alt.Axis(minExtent=40)),
        tooltip=tooltip(table, "variant", "segments", "peak_kib", "peak_in_place_kib", "largest_file_bytes", "transfer_bytes"),
    )
    times = table.melt(["variant", "segments", "evidence"], list(WAYS), "way", "time_ms").assign(
        way=lambda frame: frame["way"].map(WAYS)
    )
    dash = alt.StrokeDash(
        "way:N",
        title="segments",
        scale=alt.Scale(domain=list(WAYS.values()), range=[[1, 0], [5, 3]]),
        legend=alt.Legend(symbolStrokeColor=INK),
    )
    duration = alt.Chart(times, height=170).encode(
        x=x,
        y=alt.Y("time_ms:Q", title="time (ms, log scale)", scale=alt.Scale(type="log"), axis=alt.Axis(minExtent=40)),
        tooltip=tooltip(times, "variant", "segments", "way", "time_ms"),
    )
    panels = [
        alt.layer(
            panel.mark_line(strokeWidth=1.5).encode(stroke=shades["stroke"], **extra),
            points(panel).encode(shape=evidence_shape(), **shades),
        )
        for panel, extra in ((memory, {}), (duration, {"strokeDash": dash}))
    ]
    told = []
    for variant, rows in table.groupby("variant", sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        told.append(
            f"{variant} from {first['peak_kib'] / 1024:.1f} MiB in {first['segments']} to {last['peak_kib'] / 1024:.1f} MiB "
            f"in {last['segments']} segments, {first['latency_ms']:.2f} to {last['latency_ms']:.2f} ms if all stay loaded"
        )
    return alt.vconcat(*panels, spacing=8).properties(
        description=f"Two line charts over the number of segments, peak memory and time: {names(told)}."
    )


def early_exit(table: pd.DataFrame) -> alt.LayerChart:
    """Average MACs, as a share of those without an exit, against accuracy; a point a threshold, the chosen one ringed."""
    frame = table.assign(label=[f"exit above {value:.2f}" for value in table["threshold"]])
    base = alt.Chart(frame).encode(
        x=alt.X(
            "macs_share:Q",
            title="average MACs (share of the network's)",
            axis=alt.Axis(format="%"),
            scale=alt.Scale(zero=False),
        ),
        y=alt.Y("accuracy:Q", title="accuracy (0-1)", scale=alt.Scale(zero=False, padding=12)),
    )
    tips = tooltip(frame, "threshold", "exit_share", "macs", "macs_share", "accuracy", "accuracy_n", "held_back_points")
    chosen, never = frame[frame["chosen"].astype(bool)], frame[frame["exit_share"] == 0].head(1)
    bars = (
        base.mark_rule(opacity=0.35)
        .encode(y="accuracy_low:Q", y2="accuracy_high:Q")
        .properties(data=interval(frame, "accuracy"))
    )
    line = base.mark_line(strokeWidth=1.5, color=PALETTE[0]).encode(order="macs_share:Q")
    own = alt.Chart(never).mark_rule(strokeDash=[2, 3], opacity=0.6).encode(y="accuracy:Q")
    ring = base.mark_point(size=330, strokeWidth=2, color=PALETTE[3], filled=False).properties(data=chosen)
    text = base.mark_text(align="left", dx=14, dy=12, color=INK).encode(text="label:N").properties(data=chosen)
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **_shades("dataset", [frame["dataset"].iloc[0]]))
    told = "".join(
        f" At the chosen threshold {row.threshold:.2f}, {row.exit_share:.0%} of the images exit: {row.macs_share:.0%} of the "
        f"MACs, accuracy {row.accuracy:.3f}."
        for row in chosen.itertuples()
    )
    without = "".join(f", {row.accuracy:.3f} when none exits" for row in never.itertuples())
    return alt.layer(own, bars, line, ring, marks, text).properties(
        description=f"Line chart of average MACs against accuracy for {len(frame)} thresholds{without}.{told}"
    )
