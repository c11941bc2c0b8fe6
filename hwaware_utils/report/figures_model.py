"""Figures about models: how they trained, what they weigh, what they compute. Table in, chart out; captions are the page's."""

import altair as alt
import pandas as pd

from .charts import INK, PALETTE
from .encodings import colour, evidence_shape, interval, names, points, tooltip

SERIES = {"accuracy": "training", "test_accuracy": "test"}
QUANTITIES = {"macs": "MACs", "weight_bytes": "weights (B)", "activation_bytes": "activations (B)"}


def training_curves(log: pd.DataFrame) -> alt.LayerChart:
    """Accuracy by epoch, solid on the training images and dashed on the test images; a rule where fine-tuning begins."""
    log = log.assign(step=log.groupby("architecture").cumcount() + 1)
    rows = log.melt(
        id_vars=[name for name in log if name not in SERIES], value_vars=list(SERIES), var_name="images", value_name="share"
    ).assign(images=lambda frame: frame["images"].map(SERIES))
    tuned = log[log["phase"] == "fine-tuning"].groupby("architecture", as_index=False)["step"].min()
    tips = tooltip(rows, "architecture", "phase", "images", "epoch", "share", "loss", "resolution", "learning_rate", "seconds")
    base = alt.Chart(rows).encode(
        x=alt.X("step:Q", title="epoch (head, then fine-tuning)", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("share:Q", title="accuracy (0-1)", scale=alt.Scale(zero=False)),
        tooltip=tips,
    )
    shades = colour(rows, "architecture")
    dash = alt.StrokeDash("images:N", scale=alt.Scale(domain=["training", "test"], range=[[1, 0], [5, 3]]))
    lines = base.mark_line(strokeWidth=1.5).encode(strokeDash=dash, stroke=shades["stroke"])
    start = alt.Chart(tuned).mark_rule(strokeDash=[2, 3], opacity=0.5, color=INK).encode(x="step:Q")
    last = log.groupby("architecture", sort=False).tail(1)
    ends = "; ".join(f"{row.architecture} ends at {row.test_accuracy:.3f}" for row in last.itertuples())
    return alt.layer(start, lines, points(base).encode(shape=evidence_shape(), **shades)).properties(
        description=f"Line chart of training and test accuracy by epoch. On the test images {ends}."
    )


def size_vs_accuracy(variants: pd.DataFrame) -> alt.LayerChart:
    """File size (log) against accuracy with its interval: colour = precision, label = architecture."""
    frame = variants.assign(size_kib=variants["size_bytes"] / 1024)
    base = alt.Chart(frame).encode(
        x=alt.X("size_kib:Q", title="model file (KiB, log scale)", scale=alt.Scale(type="log", nice=False, padding=25)),
        y=alt.Y("accuracy:Q", title="accuracy (0-1)", scale=alt.Scale(zero=False, padding=12)),
    )
    shades = colour(frame, "precision")
    tips = tooltip(frame, "variant", "architecture", "precision", "accuracy", "accuracy_n", "size_bytes", "macs", "parameters")
    bars = base.mark_rule(opacity=0.6).encode(y="accuracy_low:Q", y2="accuracy_high:Q", stroke=shades["stroke"])
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    # One label and one faint line an architecture: a label a mark would cover its neighbours.
    largest = frame.loc[frame.groupby("architecture", sort=False)["size_kib"].idxmax()]
    labels = base.mark_text(dy=-12, color=INK).encode(text="architecture:N").properties(data=largest)
    same = base.mark_line(opacity=0.25, strokeWidth=1, color=INK).encode(detail="architecture:N", order="size_kib:Q")
    small, best = frame.loc[frame["size_kib"].idxmin()], frame.loc[frame["accuracy"].idxmax()]
    return alt.layer(bars.properties(data=interval(frame, "accuracy")), same, marks, labels).properties(
        description=f"Scatter chart of file size against accuracy for {len(frame)} variants. The most accurate is "
        f"{best['variant']} ({best['accuracy']:.3f}, {best['size_kib']:,.0f} KiB), the smallest {small['variant']} "
        f"({small['accuracy']:.3f}, {small['size_kib']:,.0f} KiB)."
    )


def size_bars(variants: pd.DataFrame) -> alt.LayerChart:
    """One bar a variant, largest file on top, with the size written at its end."""
    frame = variants.assign(size_kib=variants["size_bytes"] / 1024)
    ordered = frame.sort_values("size_kib", ascending=False, kind="stable")
    base = alt.Chart(frame, height=alt.Step(22)).encode(
        x=alt.X("size_kib:Q", title="model file (KiB)", axis=alt.Axis(tickCount=5)),
        y=alt.Y("variant:N", sort=ordered["variant"].tolist(), title=None),
    )
    shade = colour(frame, "precision")["fill"]
    bars = base.mark_bar(height={"band": 0.7}).encode(
        fill=shade, tooltip=tooltip(frame, "variant", "precision", "size_bytes", "parameters", "accuracy")
    )
    text = base.mark_text(align="left", dx=4, color=INK).encode(text=alt.Text("size_kib:Q", format=",.0f"))
    sizes = names((f"{row.variant} {row.size_kib:,.0f}" for row in ordered.itertuples()), limit=8)
    return alt.layer(bars, text).properties(description=f"Bar chart of file sizes in KiB, largest first: {sizes}.")


def workload_bars(workload: pd.DataFrame) -> alt.VConcatChart:
    """MACs, weights and activations of each operator from input to output, coloured by the kind of operator."""
    shown = workload.groupby("operator")["macs"].sum().sort_values(ascending=False, kind="stable").index[: len(PALETTE) - 1]
    frame = workload.assign(kind=workload["operator"].where(workload["operator"].isin(shown), "other"))
    shade = colour(frame, "kind", "operator")["fill"]
    tips = tooltip(frame, "index", "operator", "name", "output_shape", *QUANTITIES)
    panels = [
        alt.Chart(frame, height=110)
        .mark_bar()
        .encode(
            x=alt.X("index:O", title="operator, from input to output", axis=alt.Axis(labels=False, ticks=False))
            if name == "activation_bytes"
            else alt.X("index:O", axis=None),
            y=alt.Y(f"{name}:Q", title=title, axis=alt.Axis(format="~s", tickCount=4, minExtent=40)),
            fill=shade,
            tooltip=tips,
        )
        for name, title in QUANTITIES.items()
    ]
    share = workload.groupby("operator")["macs"].sum() / max(workload["macs"].sum(), 1)
    return alt.vconcat(*panels, spacing=8).properties(
        description=f"Three bar charts over the {len(workload)} operators of the model: MACs, bytes of weights, bytes of "
        f"activations. {share.idxmax()} does {share.max():.0%} of the {workload['macs'].sum() / 1e6:,.1f} million MACs."
    )
