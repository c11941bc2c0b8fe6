"""The radar chart: a few architectures over several goods at once, each axis a ratio to the best. Table in, chart out."""

import altair as alt
import numpy as np
import pandas as pd

from .charts import INK, PALETTE
from .encodings import tooltip

# Column -> what its axis is called. More is better for the first, less for all others.
AXES = {
    "accuracy": "accuracy",
    "latency_ms": "speed",
    "size_bytes": "small file",
    "macs": "little work",
    "arena_bytes": "little memory",
}
RINGS = (0.25, 0.5, 0.75, 1.0)
# None of them is the mark of a kind of evidence.
PENTAGON = "M0,-1L0.95,-0.31L0.59,0.81L-0.59,0.81L-0.95,-0.31Z"
HEXAGRAM = "M0,-1L0.29,-0.5L0.87,-0.5L0.58,0L0.87,0.5L0.29,0.5L0,1L-0.29,0.5L-0.87,0.5L-0.58,0L-0.87,-0.5L-0.29,-0.5Z"
SHAPES = ["triangle-down", PENTAGON, "triangle-right", HEXAGRAM, "triangle-left", "arrow"]
X_DOMAIN, Y_DOMAIN, UNIT_PX = (-1.75, 1.75), (-1.08, 1.24), 94  # in units of the outer ring's radius, and that in px


def radar_scores(table: pd.DataFrame) -> pd.DataFrame:
    """A row an architecture and axis: score = accuracy / best accuracy, or least cost / cost; the best has 1.

    Needs the column `architecture` (each once) and at least three of AXES; ValueError otherwise, and for a cost that is
    not above 0.
    """
    columns = [name for name in AXES if name in table]
    if len(columns) < 3 or "architecture" not in table or table["architecture"].duplicated().any():
        raise ValueError(f"a radar chart needs a row an architecture and three of {', '.join(AXES)}; found {list(table)}.")
    table = table.reset_index(drop=True)
    values = table[columns]
    if not (values > 0).all(axis=None):
        raise ValueError("a radar chart compares ratios: every value must be above 0.")
    scores = values.min() / values
    if "accuracy" in columns:
        scores["accuracy"] = values["accuracy"] / values["accuracy"].max()
    fixed = ["architecture", "evidence"]
    long = table[fixed].join(scores).melt(fixed, var_name="axis", value_name="score")
    long["value"] = values.melt()["value"].to_numpy()
    turn = long["axis"].map({name: 2 * np.pi * k / len(columns) for k, name in enumerate(columns)})
    return long.assign(x=long["score"] * np.sin(turn), y=long["score"] * np.cos(turn), place=long["axis"].map(columns.index),
                       axis=long["axis"].map(AXES))  # fmt: skip


def radar(table: pd.DataFrame) -> alt.LayerChart:
    """A polygon an architecture (colour and shape); the outer ring is the best of them on each axis, the centre 0."""
    scores = radar_scores(table)
    order = table["architecture"].tolist()
    closed = pd.concat([scores, scores[scores["place"] == 0].assign(place=scores["place"].max() + 1)])
    count = scores["axis"].nunique()
    turns = 2 * np.pi * np.arange(count + 1) / count
    web = pd.DataFrame(
        [{"ring": r, "place": k, "x": r * np.sin(t), "y": r * np.cos(t)} for r in RINGS for k, t in enumerate(turns)]
    )
    rim = web[(web["ring"] == 1) & (web["place"] < count)].assign(axis=scores["axis"].drop_duplicates().tolist(), zero=0.0)
    flat = {"axis": None}
    x = alt.X("x:Q", scale=alt.Scale(domain=X_DOMAIN, nice=False), **flat)
    y = alt.Y("y:Q", scale=alt.Scale(domain=Y_DOMAIN, nice=False), **flat)
    shown = {"scale": alt.Scale(domain=order, range=PALETTE[: len(order)]), "legend": alt.Legend(columns=4)}
    shape = alt.Shape("architecture:N", **(shown | {"scale": alt.Scale(domain=order, range=SHAPES[: len(order)])}))
    numbers = (alt.Tooltip("score:Q", format=".3f"), alt.Tooltip("value:Q", format=",.4~g"))
    tips = [*tooltip(scores, "architecture", "axis"), *numbers]
    rings = alt.Chart(web).mark_line(color=INK, opacity=0.2, strokeWidth=1).encode(x=x, y=y, detail="ring:N", order="place:Q")
    spokes = alt.Chart(rim).mark_rule(opacity=0.2).encode(x=x, y=y, x2="zero:Q", y2="zero:Q")
    between = web[web["place"].isin([0, 1]) & (web["ring"] < 1)]  # no mark ever stands there
    middle = between.groupby("ring", as_index=False)[["x", "y"]].mean()
    ticks = alt.Chart(middle).mark_text(color=INK, opacity=0.7, fontSize=10)
    labels = [
        alt.Chart(part.assign(x=part["x"] * 1.1, y=part["y"] * 1.12)).mark_text(color=INK, align=side, fontSize=12)
        for side, part in rim.groupby(np.select([rim["x"] > 0.01, rim["x"] < -0.01], ["left", "right"], "center"))
    ]
    lines = alt.Chart(closed).mark_line(strokeWidth=2, opacity=0.85)
    marks = alt.Chart(scores).mark_point(filled=True, size=90, opacity=0.95)
    return alt.layer(
        rings,
        spokes,
        ticks.encode(x=x, y=y, text=alt.Text("ring:Q", format=".2~f")),
        *(label.encode(x=x, y=y, text="axis:N") for label in labels),
        lines.encode(x=x, y=y, stroke=alt.Stroke("architecture:N", **shown), order="place:Q"),
        marks.encode(x=x, y=y, fill=alt.Fill("architecture:N", **shown), shape=shape, tooltip=tips),
    ).properties(
        # Fixed, so that the rings stay round: it fits on a phone as it is
        width=round(UNIT_PX * np.ptp(X_DOMAIN)), height=round(UNIT_PX * np.ptp(Y_DOMAIN)),
        title=alt.TitleParams("each axis: ratio to the best (outer ring)", color=INK, fontSize=12, fontWeight="normal"),
        description=_told(scores),
    )  # fmt: skip


def _told(scores: pd.DataFrame) -> str:
    best = scores.loc[scores.groupby("axis", sort=False)["score"].idxmax()]
    return (
        f"Radar chart of {scores['architecture'].nunique()} architectures, each axis normalised as a ratio to the best "
        f"(1 = best). Best: {'; '.join(f'{row.axis} {row.architecture}' for row in best.itertuples())}."
    )
