"""Figures about drift: what each window says, and how soon damage is noticed. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, names, points, tooltip


def drift_stream(watched: pd.DataFrame) -> alt.LayerChart:
    """Each signal's statistic over its threshold, window by window (log); above the rule there is an alarm.

    A column `changed` (`drift.watch_change`) puts an upright rule where the images change.
    """
    frame = watched.assign(ratio=(watched["statistic"] / watched["threshold"]).clip(lower=0.01))
    base = alt.Chart(frame).encode(
        x=alt.X("frames:Q", title="frames seen"),
        y=alt.Y("ratio:Q", title="statistic / threshold (log)", scale=alt.Scale(type="log", nice=False)),
    )
    shades = colour(frame, "signal")
    tips = tooltip(frame, "signal", "window", "frames", "statistic", "threshold", "alarm", "mean", "clean_mean")
    lines = base.mark_line(strokeWidth=1, opacity=0.5).encode(stroke=shades["stroke"])
    marks = points(base).encode(shape=evidence_shape(), size=alt.value(40), tooltip=tips, **shades)
    limit = alt.Chart(pd.DataFrame({"ratio": [1.0], "what": ["alarm above"]}))
    rule = limit.mark_rule(strokeDash=[4, 3], color=INK, opacity=0.7).encode(y="ratio:Q")
    said = limit.mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=INK).encode(
        x=alt.value(0), y="ratio:Q", text="what:N"
    )
    change, where = [], ""
    if "changed" in frame and frame["changed"].any() and not frame["changed"].all():
        last = int(frame.loc[~frame["changed"], "frames"].max())
        mark = alt.Chart(pd.DataFrame({"frames": [last], "what": ["images change"]})).encode(x="frames:Q")
        told = mark.mark_text(align="left", baseline="top", dx=4, color=INK).encode(y=alt.value(0), text="what:N")
        change, where = [mark.mark_rule(color=INK, opacity=0.7), told], f" The images change after {last:,} frames."
    raised = frame[frame["alarm"]]
    told = "none"
    if len(raised):
        first = raised.sort_values(["window", "ratio"], ascending=[True, False]).iloc[0]
        told = f"{len(raised)}, the first by {first['signal']} after {int(first['frames']):,} frames"
    return alt.layer(rule, said, *change, lines, marks).properties(
        description=f"Line chart of drift in {frame['window'].nunique()} windows for {names(frame['signal'])}.{where} "
        f"Alarms: {told}."
    )


def drift_detection(summary: pd.DataFrame) -> alt.FacetChart:
    """Points of accuracy lost against the share of windows in alarm, a panel a method, a mark a corruption and severity."""
    frame = summary.assign(lost=-summary["accuracy_change_points"])
    shades = colour(frame, "corruption")
    tips = tooltip(
        frame, "corruption", "severity", "method", "accuracy", "accuracy_low", "accuracy_high", "accuracy_change_points",
        "alarm_share", "trigger_frames", "trigger_signal",
    )  # fmt: skip
    base = alt.Chart(height=110).encode(
        x=alt.X("lost:Q", title="points of accuracy lost", scale=alt.Scale(padding=10)),
        y=alt.Y(
            "alarm_share:Q", title="windows in alarm", axis=alt.Axis(format="%", tickCount=3), scale=alt.Scale(domain=[0, 1])
        ),
    )
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    told = []
    for method, part in frame[frame["corruption"] != "none"].groupby("method", sort=False):
        found = part["trigger_frames"].notna()
        missed = part.loc[~found, "lost"]
        worst = f", the worst that it misses costs {missed.max():.1f} points" if len(missed) else ""
        told.append(f"{method} finds {found.sum()} of {len(part)}{worst}")
    order = frame["method"].drop_duplicates().tolist()
    return (
        alt.layer(marks, data=frame)
        .facet(row=alt.Row("method:N", sort=order, title=None, header=alt.Header(orient="top", labelAnchor="start")))
        .properties(description=f"Scatter charts of accuracy lost and windows in alarm for each corruption: {'; '.join(told)}.")
    )
