"""Figures about smaller architectures: what pruning keeps, and what a teacher adds. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK
from .encodings import colour, evidence_shape, points, tooltip

STAGES = {"start_accuracy": "as cut", "accuracy": "after fine-tuning"}


def pruning_sweep(table: pd.DataFrame) -> alt.LayerChart:
    """Share of the expansions kept against accuracy: by importance or at random (colour), as cut and after fine-tuning."""
    rows = table.melt(
        id_vars=[name for name in table if name not in STAGES], value_vars=list(STAGES), var_name="when", value_name="share"
    ).assign(when=lambda frame: frame["when"].map(STAGES))
    base = alt.Chart(rows).encode(
        x=alt.X("kept_share:Q", title="share of the expansion channels that is kept", axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[1.03, rows["kept_share"].min() - 0.03], nice=False)),
        y=alt.Y("share:Q", title="accuracy (0-1)", scale=alt.Scale(zero=False)),
    )  # fmt: skip
    shades = colour(rows, "choice", "channels chosen by")
    dash = alt.StrokeDash("when:N", title=None, scale=alt.Scale(domain=list(STAGES.values()), range=[[4, 3], [1, 0]]))
    lines = base.mark_line(strokeWidth=1.5).encode(strokeDash=dash, stroke=shades["stroke"])
    tips = tooltip(rows, "choice", "when", "kept_share", "share", "accuracy_n", "images", "epochs")
    least = table[table["kept_share"] == table["kept_share"].min()].set_index("choice")
    ends = "; ".join(f"{name} {row.start_accuracy:.3f} as cut, {row.accuracy:.3f} after" for name, row in least.iterrows())
    return alt.layer(lines, points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)).properties(
        description=f"Line chart of accuracy by the share of channels kept. With {table['kept_share'].min():.0%} kept: {ends}."
    )


def distillation(table: pd.DataFrame) -> alt.LayerChart:
    """Accuracy of each architecture with the teacher and with labels alone: a dot each, joined by a line."""
    frame = table.assign(taught=table["teacher_weight"].gt(0).map({True: "teacher and labels", False: "labels alone"}))
    base = alt.Chart(frame, height=alt.Step(34)).encode(
        y=alt.Y("architecture:N", title=None, sort=None),
        x=alt.X("accuracy:Q", title="accuracy (0-1)", scale=alt.Scale(zero=False, padding=15)),
    )
    shades = colour(frame, "taught", "learns from")
    tips = tooltip(frame, "architecture", "taught", "start_accuracy", "accuracy", "accuracy_low", "accuracy_high", "images")
    joined = base.mark_line(color=INK, opacity=0.4).encode(detail="architecture:N")
    wide = frame.pivot_table(index="architecture", columns="taught", values="accuracy")
    gains = 100 * (wide["teacher and labels"] - wide["labels alone"])
    said = "; ".join(f"{name} {gain:+.1f} points" for name, gain in gains.items())
    return alt.layer(joined, points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)).properties(
        description=f"Dot chart of accuracy with the teacher against labels alone: {said}."
    )
