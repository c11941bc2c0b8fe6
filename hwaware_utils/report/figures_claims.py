"""Figures of the claims audit: how many of which verdict, and how far the others are off. Table in, chart out."""

import altair as alt
import pandas as pd

from ..decide.claims import VERDICTS
from .charts import INK, PALETTE
from .encodings import evidence_shape, points, tooltip

_SHADES = {"corrected": PALETTE[0], "refuted": PALETTE[3]}


def claim_verdicts(audited: pd.DataFrame) -> alt.LayerChart:
    """A bar a verdict, its parts by what the claims were held against."""
    counts = audited.groupby(["verdict", "basis"], as_index=False).size().rename(columns={"size": "claims"})
    totals = audited["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0).rename("claims").reset_index()
    y = alt.Y("verdict:N", sort=list(VERDICTS), title=None)
    room = alt.Scale(domain=[0, 1.12 * totals["claims"].max()], nice=False)
    bases = sorted(counts["basis"].unique())
    shades = alt.Scale(domain=bases, range=[PALETTE[i % len(PALETTE)] for i in range(len(bases))])
    bars = (
        alt.Chart(counts, height=alt.Step(30))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("claims:Q", title="claims", scale=room),
            y=y,
            fill=alt.Fill("basis:N", scale=shades, legend=alt.Legend(title="held against", columns=3)),
            order=alt.Order("basis:O"),
            tooltip=["verdict", "basis", "claims"],
        )
    )
    said = alt.Chart(totals).mark_text(align="left", dx=5, color=INK).encode(x="claims:Q", y=y, text="claims:Q")
    told = ", ".join(f"{row.claims} {row.verdict}" for row in totals.itertuples())
    return alt.layer(bars, said).properties(description=f"Bar chart of the verdicts on {len(audited)} claims: {told}.")


def claim_ratios(audited: pd.DataFrame) -> alt.LayerChart:
    """What is claimed over what is to be expected, for each claim that does not hold (log scale; the rule is equality)."""
    frame = audited[audited["verdict"].isin(_SHADES)].copy()
    # A ratio needs two numbers of one sign, of which none is 0 but for being far off
    frame["shown"] = frame["ratio"].abs().clip(0.1, 1000)
    frame = frame[frame["ratio"].notna()].sort_values("shown", ascending=False)
    shades = alt.Scale(domain=list(_SHADES), range=list(_SHADES.values()))
    base = alt.Chart(frame, height=alt.Step(15)).encode(
        x=alt.X("shown:Q", title="claimed / expected (log; ends cut off)", scale=alt.Scale(type="log", domain=[0.1, 1000])),
        y=alt.Y("id:N", sort=None, title=None, axis=alt.Axis(labelFontSize=10)),
    )
    marks = points(base).encode(
        shape=evidence_shape(),
        size=alt.value(50),
        fill=alt.Fill("verdict:N", scale=shades, legend=alt.Legend(title="verdict", symbolType="square")),
        stroke=alt.Stroke("verdict:N", scale=shades, legend=alt.Legend(title="verdict", symbolType="square")),
        tooltip=tooltip(frame, "claim", "where", "value", "expected", "unit", "ratio", "verdict"),
    )
    rule = alt.Chart(pd.DataFrame({"one": [1.0]})).mark_rule(strokeDash=[4, 3], color=INK).encode(x="one:Q")
    far = frame.iloc[0]
    return alt.layer(rule, marks).properties(
        description=f"Dot chart of claimed over expected for {len(frame)} claims that do not hold. Furthest off: {far['id']}, "
        f"{far['value']:,.4g} {far['unit']} where {far['expected']:,.4g} are to be expected."
    )
