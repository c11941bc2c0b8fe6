"""Figures about INT8 going wrong: what each mistake and each cure makes of the accuracy, and why. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, interval, names, points, tooltip

POWERS = [0.001, 0.01, 0.1, 1, 10, 100]
LOST = 0.5  # steps: all weights of such a channel are rounded to 0


def failures(table: pd.DataFrame) -> alt.LayerChart:
    """Accuracy of each experiment with its interval, in the table's order; rules at chance level and at FP32."""
    frame = table.reset_index(drop=True)
    base = alt.Chart(frame, height=alt.Step(21)).encode(
        x=alt.X("accuracy:Q", title="accuracy (0-1)", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5)),
        y=alt.Y("name:N", sort=frame["name"].tolist(), title=None, axis=alt.Axis(grid=True, labelLimit=165)),
    )
    shades = colour(frame, "group")
    tips = tooltip(frame, "name", "group", "done", "accuracy", "accuracy_low", "accuracy_high", "accuracy_n")
    bars = base.mark_rule(opacity=0.6).encode(x="accuracy_low:Q", x2="accuracy_high:Q", stroke=shades["stroke"])
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    chance, fp32 = float(frame["chance"].iloc[0]), float(frame.loc[frame["name"] == "FP32", "accuracy"].iloc[0])
    levels = alt.Chart(pd.DataFrame({"level": [chance, fp32], "what": [f"chance {chance:.2g}", f"FP32 {fp32:.3f}"]}))
    rules = levels.mark_rule(strokeDash=[4, 3], opacity=0.6, color=INK).encode(x="level:Q")
    said = levels.mark_text(baseline="bottom", color=INK).encode(x="level:Q", y=alt.value(-3), text="what:N")
    tried = frame[frame["group"] != "reference"].sort_values("accuracy", kind="stable")
    lost = tried.loc[tried["accuracy_low"] <= chance, "name"]
    told = f" Not above chance: {names(lost, 8)}." if len(lost) else ""
    low, high = tried.iloc[0], tried.iloc[-1]
    return alt.layer(rules, said, bars.properties(data=interval(frame, "accuracy")), marks).properties(
        description=f"Dot plot of accuracy for {len(tried)} ways to make or feed an INT8 file ({names(tried['group'])}); FP32 "
        f"has {fp32:.3f}, chance is {chance:.2g}. Lowest is {low['name']} "
        f"({low['accuracy']:.3f}), highest {high['name']} ({high['accuracy']:.3f}).{told}"
    )


def channel_ranges(table: pd.DataFrame) -> alt.LayerChart:
    """Channels of one layer, widest first, by the steps of a shared scale that their weights span, in each state."""
    shown = ["state", "rank", "channel", "weight_range", "steps", "evidence"]  # two thousand rows travel with the page
    frame = table.loc[table["weight_range"] > 0, shown].round(4).reset_index(drop=True)
    frame["steps"] = frame["steps"].clip(lower=1e-4)  # a log axis has no 0
    base = alt.Chart(frame).encode(
        x=alt.X("rank:Q", title="channel, widest weights first", scale=alt.Scale(nice=False)),
        y=alt.Y(
            "steps:Q",
            title="steps of the shared scale (log)",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(values=POWERS),
        ),
    )
    shades = colour(frame, "state", "weights")
    lines = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        stroke=shades["stroke"], tooltip=tooltip(frame, "state", "channel", "weight_range", "steps")
    )
    limit = alt.Chart(pd.DataFrame({"steps": [LOST], "what": ["below: rounded to 0"]}))
    rule = limit.mark_rule(strokeDash=[4, 3], opacity=0.6, color=INK).encode(y="steps:Q")
    said = limit.mark_text(align="left", baseline="top", dx=4, dy=4, color=INK).encode(
        x=alt.value(0), y="steps:Q", text="what:N"
    )
    counts = [f"{(part['steps'] < LOST).sum()} {state}" for state, part in frame.groupby("state", sort=False)]
    return alt.layer(rule, said, lines).properties(
        description=f"Line chart of the weight range of each of {frame['channel'].nunique()} channels of a depthwise layer, "
        f"in steps of one shared 8-bit scale. Channels rounded to 0 altogether: {', '.join(counts)}."
    )
