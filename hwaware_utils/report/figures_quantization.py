"""Figures about number formats: which operators suffer, where the error grows, what each format costs and saves."""

import altair as alt
import numpy as np
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, names, points, tooltip

MOST_BARS = 15
SHARES = {"size_share": "size", "latency_share": "latency"}


def sensitivity_bars(table: pd.DataFrame) -> alt.LayerChart:
    """Cost of each operator that alone runs in INT8, the worst on top, the rest as one bar (their worst).

    Colour: left in FP32 by the mixed file or not, from the column `left_in_float` if there is one.
    """
    ranked = table.sort_values("cost_nats", ascending=False, kind="stable").reset_index(drop=True)
    frame, rest = ranked.head(MOST_BARS), ranked.iloc[MOST_BARS:]
    if len(rest):
        most = rest.iloc[[0]].assign(name=f"worst of {len(rest)} others", index=-1, operator="several")
        frame = pd.concat([frame, most], ignore_index=True)
    left = frame["left_in_float"] if "left_in_float" in frame else pd.Series(False, frame.index)
    # Layers of two models may share a name: the place in the file makes it unique
    unique = frame["name"].where(~frame["name"].duplicated(keep=False), frame["name"] + " " + frame["index"].astype(str))
    frame = frame.assign(layer=unique, mixed=np.where(left.astype(bool), "FP32", "INT8"), cost=1000 * frame["cost_nats"])
    base = alt.Chart(frame, height=alt.Step(20)).encode(
        x=alt.X("cost:Q", title="divergence from FP32 (thousandths of a nat)", axis=alt.Axis(tickCount=4, format="~g")),
        y=alt.Y("layer:N", sort=frame["layer"].tolist(), title=None, axis=alt.Axis(labelLimit=150)),
    )
    tips = tooltip(frame, "name", "index", "operator", "cost_nats", "squared_logit_error", "agreement", "macs", "weight_bytes")
    bars = base.mark_bar(height={"band": 0.7}).encode(fill=colour(frame, "mixed", "in the mixed file")["fill"], tooltip=tips)
    text = base.mark_text(align="left", dx=4, color=INK).encode(text=alt.Text("cost:Q", format=".2~g"))
    worst, kept = ranked.iloc[0], frame.loc[frame["mixed"] == "FP32", "layer"]
    told = f" Left in FP32: {names(kept)}." if len(kept) else ""
    return alt.layer(bars, text).properties(
        description=f"Bar chart of what INT8 costs, one of {len(ranked)} operators at a time. {worst['name']} costs "
        f"most ({worst['cost_nats']:.2g} nats), the median is {ranked['cost_nats'].median():.2g}.{told}"
    )


def sqnr_lines(table: pd.DataFrame) -> alt.LayerChart:
    """SQNR of each operator's output from input to output. Colour: operator kind, or `variant` if there are several."""
    frame = table[np.isfinite(table["sqnr_db"])].reset_index(drop=True)  # infinite: a tensor that lost nothing
    if "variant" not in frame:
        frame = frame.assign(variant="")
    field = "variant" if len(set(frame["variant"])) > 1 else "operator"
    base = alt.Chart(frame).encode(
        x=alt.X("index:Q", title="operator, from input to output", axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("sqnr_db:Q", title="signal to noise (dB)", scale=alt.Scale(zero=False, padding=8)),
    )
    shades = colour(frame, field)
    lines = base.mark_line(strokeWidth=1, opacity=0.5)
    lines = lines.encode(stroke=shades["stroke"]) if field == "variant" else lines.encode(stroke=alt.value(INK))
    tips = tooltip(frame, "variant", "name", "index", "operator", "sqnr_db")
    marks = points(base).encode(shape=evidence_shape(), size=alt.value(45), tooltip=tips, **shades)
    told = "; ".join(_span(part, name) for name, part in frame.groupby("variant", sort=False))
    return alt.layer(lines.encode(detail="variant:N"), marks).properties(
        description=f"Line chart of the signal-to-quantisation-noise ratio of {frame['index'].nunique()} operators. {told}."
    )


def _span(part: pd.DataFrame, name: str) -> str:
    low, last = part.loc[part["sqnr_db"].idxmin()], part.loc[part["index"].idxmax()]
    said = f"the lowest is {low['sqnr_db']:.1f} dB at {low['name']}, the output has {last['sqnr_db']:.1f} dB"
    return f"{name}: {said}" if name else said[0].upper() + said[1:]


def quantization_tradeoff(table: pd.DataFrame, share: str = "size_share") -> alt.FacetChart:
    """Points lost against own FP32 and share of its size (or `latency_share`), a panel an architecture.

    The band is half of FP32's own 95 % interval to either side: a difference inside it is less than chance gives one accuracy.
    """
    frame = table.assign(zero=0.0)
    fp32 = frame[frame["precision"] == "fp32"].set_index("architecture")
    if {"accuracy_low", "accuracy_high"} <= set(frame):
        half = 50 * (fp32["accuracy_high"] - fp32["accuracy_low"])
        frame = frame.assign(band=frame["architecture"].map(half))
    else:
        frame = frame.assign(band=0.0)
    frame = frame.assign(band_low=-frame["band"].fillna(0.0), band_high=frame["band"].fillna(0.0))
    x = alt.X("points_against_own_fp32:Q", title="points of accuracy against own FP32", scale=alt.Scale(nice=False, padding=12))
    base = alt.Chart(height=105).encode(
        x=x, y=alt.Y(f"{share}:Q", title=f"{SHARES[share]}, % of FP32", axis=alt.Axis(format="%", tickCount=4))
    )
    shades = colour(frame, "precision")
    tips = tooltip(frame, "variant", "precision", "accuracy", "points_against_own_fp32", "size_share", "latency_share")
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    band = alt.Chart().mark_rect(opacity=0.02, color=INK).encode(x=alt.X("band_low:Q"), x2="band_high:Q")
    zero = alt.Chart().mark_rule(strokeDash=[4, 3], opacity=0.5, color=INK).encode(x="zero:Q")
    others = frame[frame["precision"] != "fp32"]
    worst, least = others.loc[others["points_against_own_fp32"].idxmin()], others.loc[others[share].idxmin()]
    order = table["architecture"].drop_duplicates().tolist()
    return (
        alt.layer(band, zero, marks, data=frame)
        .facet(row=alt.Row("architecture:N", sort=order, title=None, header=alt.Header(orient="top", labelAnchor="start")))
        .properties(
            description=f"Scatter charts by architecture, of accuracy and {SHARES[share]} against own FP32 of {len(others)} "
            f"variants. {worst['variant']} loses most ({worst['points_against_own_fp32']:+.2f} points); {least['variant']} has "
            f"the lowest share ({least[share]:.0%})."
        )
    )
