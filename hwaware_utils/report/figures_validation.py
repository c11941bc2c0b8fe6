"""Figures that hold models against what others have measured. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, names, tooltip

NEAR = (0.9, 1.1)  # within 10 %, what a predictor is usually judged by


def predicted_vs_published(validation: pd.DataFrame) -> alt.VConcatChart:
    """Each held-out row twice: what a model that never saw it predicts, and the ratio to what was published.

    The shape is the split and not the evidence: every point is a modelled number against a published one.
    """
    ratios = {f"{end}_ratio": validation[column] / validation["published_ms"] for end, column in
              (("middle", "predicted_ms"), ("low", "latency_ms_low"), ("high", "latency_ms_high"))}  # fmt: skip
    frame = validation.assign(**ratios)
    pick = alt.selection_point(fields=["platform"], bind="legend")
    faded = alt.when(pick).then(alt.value(0.85)).otherwise(alt.value(0.06))
    ends = [frame[["published_ms", "predicted_ms"]].min().min(), frame[["published_ms", "predicted_ms"]].max().max()]
    guides = pd.DataFrame({"published_ms": ends, "predicted_ms": ends})
    scatter = _panel(
        frame, faded, "predicted_ms", ("latency_ms_low", "latency_ms_high"), "predicted (ms, log scale)", "log", 250
    )
    ratio = _panel(frame, faded, "middle_ratio", ("low_ratio", "high_ratio"), "predicted / published", "linear", 190)
    line = alt.Chart(guides).mark_line(color=INK, strokeDash=[4, 3], opacity=0.6).encode(x=_published(), y="predicted_ms:Q")
    band = pd.DataFrame([{"low": NEAR[0], "high": NEAR[1]}])
    band = alt.Chart(band).mark_rect(fill=INK, opacity=0.1).encode(y="low:Q", y2="high:Q")
    within = frame["middle_ratio"].between(*NEAR).mean()
    return alt.vconcat(alt.layer(line, *scatter).add_params(pick), alt.layer(band, *ratio)).properties(
        description=f"Two scatter plots of {len(frame)} held-out published latencies on {names(frame['platform'])}, from "
        f"{ends[0]:.3g} to {ends[1]:.4g} ms: predicted against published, and their ratio; {within:.0%} lie within 10 %.",
    )


def _published() -> alt.X:
    scale = alt.Scale(type="log", nice=False, padding=12)
    return alt.X("published_ms:Q", title="published latency (ms, log scale)", scale=scale)


def _panel(
    frame: pd.DataFrame, faded, value: str, ends: tuple[str, str], title: str, kind: str, height: int
) -> list[alt.Chart]:
    shades = colour(frame, "platform")
    scale = alt.Scale(type=kind, nice=False, padding=8, **({} if kind == "log" else {"zero": False}))  # a log axis has no zero
    base = alt.Chart(frame, height=height).encode(x=_published(), opacity=faded)
    y = alt.Y(f"{value}:Q", title=title, scale=scale, axis=alt.Axis(minExtent=40))
    tips = tooltip(
        frame, "platform", "family", "alpha", "resolution", "precision", "threads", "published_ms", "predicted_ms",
        "latency_ms_low", "latency_ms_high", "relative_error", "split",
    )  # fmt: skip
    shape = alt.Shape("split:N", legend=alt.Legend(title="held out", columns=2, symbolFillColor=INK, symbolStrokeColor=INK))
    bars = base.mark_rule().encode(y=alt.Y(f"{ends[0]}:Q", scale=scale, title=title), y2=ends[1], stroke=shades["stroke"])
    marks = base.mark_point(filled=True, size=40, strokeWidth=1).encode(y=y, shape=shape, tooltip=tips, **shades)
    return [bars, marks]
