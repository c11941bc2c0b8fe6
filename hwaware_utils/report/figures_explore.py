"""Figures of the exploration: what the surrogate is worth, where the search went, and whether its predictions came true."""

import altair as alt
import numpy as np
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, names, points, tooltip
from .figures_study import ACCURACY, LATENCY


def surrogate_check(table: pd.DataFrame) -> alt.LayerChart:
    """Accuracy predicted from the other points against the trained one (`surrogate.leave_one_out`); the line is equality."""
    frame = table.assign(px=table["resolution"].astype(str) + " px")
    ends = [frame["accuracy"].min(), frame["accuracy"].max()]
    equal = alt.Chart(pd.DataFrame({"accuracy": ends, "predicted": ends})).mark_line(color=INK, strokeDash=[4, 3], opacity=0.6)
    base = alt.Chart(frame).encode(x=alt.X("accuracy:Q", **(ACCURACY | {"title": "trained accuracy (0-1)"})))
    y = alt.Y("predicted:Q", title="predicted from the others", scale=alt.Scale(zero=False, padding=12))
    shades = colour(frame, "px", "input")
    bars = base.mark_rule(opacity=0.5).encode(y="predicted_low:Q", y2="predicted_high:Q", stroke=shades["stroke"])
    tips = tooltip(frame, "expansion", "stream", "head", "resolution", "taught", "accuracy", "predicted", "error_points")
    marks = points(base).encode(y=y, shape=evidence_shape(), tooltip=tips, **shades)
    worst = frame.loc[frame["error_points"].abs().idxmax()]
    return alt.layer(equal.encode(x="accuracy:Q", y="predicted:Q"), bars, marks).properties(
        description=f"Scatter plot of predicted against trained accuracy of {len(frame)} networks, each predicted from the "
        f"others. The mean error is {frame['error_points'].abs().mean():.2f} points, the largest {worst['error_points']:+.2f} "
        f"at {worst['resolution']} px; {int(frame['inside'].sum())} of {len(frame)} lie inside their intervals."
    )


def exploration_front(trials: pd.DataFrame, networks: pd.DataFrame) -> alt.LayerChart:
    """Accuracy against latency: the trials that fit as dots, their front dashed, the front of `networks` as a step line.

    `networks` has variant, source (hand-made, explored), accuracy, latency_ms, on_front, evidence.
    """
    x, y = alt.X("latency_ms:Q", **LATENCY), alt.Y("accuracy:Q", **ACCURACY)
    cloud = alt.Chart(trials[trials["fits"]]).mark_circle(color=INK, opacity=0.18, size=22).encode(x=x, y=y)
    best = trials[trials["on_front"]].sort_values("latency_ms")
    step = {"interpolate": "step-after", "strokeWidth": 1.5}
    predicted = alt.Chart(best).mark_line(color=INK, strokeDash=[3, 3], opacity=0.7, **step).encode(x=x, y=y)
    shades = colour(networks, "source", "network")
    own = alt.Chart(networks[(networks["source"] == "hand-made") & networks["hand_front"]])
    line = own.mark_line(**step).encode(x=x, y=y, stroke=shades["stroke"])
    tips = tooltip(networks, "variant", "accuracy", "latency_ms", "dominated_by")
    marks = points(alt.Chart(networks)).encode(x=x, y=y, shape=evidence_shape(), tooltip=tips, **shades)
    new = networks[(networks["source"] == "explored") & networks["on_front"]]
    told = f"{names(new['variant'])} stand on the front of trained networks" if len(new) else "no explored network is on it"
    return alt.layer(cloud, predicted, line, marks).properties(
        description=f"Scatter plot of accuracy against latency: {int(trials['fits'].sum())} trials that fit, predicted, with "
        f"their front of {len(best)}, and {len(networks)} trained networks. {told[0].upper() + told[1:]}."
    )


def candidate_predictions(table: pd.DataFrame) -> alt.LayerChart:
    """Predicted accuracy with its interval beside the accuracy after training, a row a network and number format.

    `table`: variant, predicted, predicted_low, predicted_high, accuracy, error_points, evidence (of the accuracy).
    """
    told = pd.DataFrame({"variant": table["variant"], "value": table["predicted"], "what": "predicted", "evidence": "modelled"})
    seen = pd.DataFrame({"variant": table["variant"], "value": table["accuracy"], "what": "trained"})
    frame = pd.concat([told, seen.assign(evidence=table["evidence"])], ignore_index=True)
    order = table["variant"].tolist()
    y = alt.Y("variant:N", sort=order, title=None, axis=alt.Axis(grid=True))
    shades = colour(frame, "what", "accuracy")
    bars = alt.Chart(table, height=alt.Step(26)).mark_rule(opacity=0.6).encode(
        x=alt.X("predicted_low:Q", axis=alt.Axis(tickCount=5), **ACCURACY), x2="predicted_high:Q", y=y
    )  # fmt: skip
    tips = tooltip(frame, "variant", "what", "value")
    marks = points(alt.Chart(frame)).encode(x="value:Q", y=y, shape=evidence_shape(), tooltip=tips, **shades)
    worst = table.loc[np.abs(table["error_points"]).idxmax()]
    return alt.layer(bars, marks).properties(
        description=f"Dot plot of predicted and trained accuracy of {len(table)} model files. The predictions miss by "
        f"{table['error_points'].abs().mean():.2f} points on average, most {worst['variant']} ({worst['error_points']:+.2f})."
    )
