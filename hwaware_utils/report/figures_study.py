"""Figures of the study: class by class, batch by batch, file by file, and what accuracy costs. Table in, chart out."""

import altair as alt
import pandas as pd

from .charts import INK, PALETTE
from .encodings import colour, evidence_shape, interval, names, points, tooltip

MOST_CLASSES = 20  # more numbers would not fit into the cells; the tooltip always tells
ACCURACY = {"title": "accuracy (0-1)", "scale": alt.Scale(zero=False, padding=12)}
LATENCY = {"title": "latency (ms, log scale)", "scale": alt.Scale(type="log", nice=False, padding=25)}
SIZE = {"title": "model file (KiB, log scale)", "scale": alt.Scale(type="log", nice=False, padding=25)}


def confusion_matrix(table: pd.DataFrame) -> alt.LayerChart:
    """Counts of the actual class (row) against the predicted one (column); the fuller the blue, the larger the row's share."""
    order = table["actual"].drop_duplicates().tolist()
    base = alt.Chart(table, height=alt.Step(27)).encode(
        x=alt.X("predicted:N", sort=order, title="predicted class", axis=alt.Axis(labelAngle=-60, labelOverlap=False)),
        y=alt.Y("actual:N", sort=order, title="actual class"),
    )
    # One hue whose opacity grows: on any background a cell of nothing is the background. The root shows rare mistakes too.
    strength = alt.Scale(type="pow", exponent=0.5, domain=[0, 1], range=[0, 1])
    cells = base.mark_rect(fill=PALETTE[0], stroke=INK, strokeOpacity=0.15, strokeWidth=0.5).encode(
        fillOpacity=alt.FillOpacity("share:Q", scale=strength, legend=None),
        tooltip=tooltip(table, "actual", "predicted", "count", "share"),
    )
    counted = alt.when(alt.datum.share > 0.4).then(alt.value("white")).otherwise(alt.value(INK))
    text = base.transform_filter(alt.datum.count > 0).mark_text(fontSize=10).encode(text="count:Q", color=counted)
    right = table.loc[table["actual"] == table["predicted"], "count"].sum()
    wrong = table[table["actual"] != table["predicted"]].nlargest(3, "count")
    told = "; ".join(f"{row.actual} taken for {row.predicted} ({row.count})" for row in wrong.itertuples(index=False))
    return alt.layer(cells, *([text] if len(order) <= MOST_CLASSES else [])).properties(
        description=f"Confusion matrix of {len(order)} classes: {right:,} of {table['count'].sum():,} images stand on the "
        f"diagonal. Commonest mistakes: {told}."
    )


def class_accuracy(table: pd.DataFrame) -> alt.LayerChart:
    """Accuracy of each class with its interval, best on top; the dashed rule is the accuracy on all images."""
    frame = table.dropna(subset=["accuracy"]).sort_values("accuracy", ascending=False, kind="stable")
    base = alt.Chart(frame, height=alt.Step(24)).encode(
        x=alt.X("accuracy:Q", **ACCURACY),
        y=alt.Y("class:N", sort=frame["class"].tolist(), title=None, axis=alt.Axis(grid=True)),
    )
    shades, intervals = _one_colour("class"), interval_names("accuracy")
    tips = tooltip(frame, "class", "n", *intervals, "precision_share", "most_often_taken_for", "taken_count")
    bars = base.mark_rule(opacity=0.6).encode(x="accuracy_low:Q", x2="accuracy_high:Q", stroke=shades["stroke"])
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    overall = (frame["accuracy"] * frame["n"]).sum() / frame["n"].sum()
    mean = alt.Chart(pd.DataFrame({"accuracy": [overall]})).mark_rule(strokeDash=[4, 3], opacity=0.6, color=INK)
    best, worst = frame.iloc[0], frame.iloc[-1]
    return alt.layer(mean.encode(x="accuracy:Q"), bars.properties(data=interval(frame, "accuracy")), marks).properties(
        description=f"Dot plot of accuracy by class, {overall:.3f} on all images. Best is {best['class']} "
        f"({best['accuracy']:.3f}), worst {worst['class']} ({worst['accuracy']:.3f}), most often taken for "
        f"{worst['most_often_taken_for'] or 'nothing'}."
    )


def throughput(table: pd.DataFrame) -> alt.LayerChart:
    """Images a second by batch size (log2), a line a `variant` (or one for all), with intervals; latency in the tooltip."""
    frame = (table if "variant" in table else table.assign(variant="the model")).reset_index(drop=True)
    base = alt.Chart(frame).encode(
        x=alt.X("batch:Q", title="batch size (log scale)", scale=alt.Scale(type="log", base=2, nice=False, padding=15),
                axis=alt.Axis(values=sorted(frame["batch"].unique().tolist()), format="d")),
        y=alt.Y("images_per_s:Q", title="images per second", axis=alt.Axis(format=",.0f")),
    )  # fmt: skip
    shades = colour(frame, "variant") if len(set(frame["variant"])) > 1 else _one_colour("variant")
    rates = [alt.Tooltip(name, title=name.replace("_", " "), format=",.0f") for name in interval_names("images_per_s")]
    tips = [*tooltip(frame, "variant", "batch", "threads", *interval_names("latency_ms"), "runtime"), *rates]
    bars = base.mark_rule(opacity=0.6).encode(y="images_per_s_low:Q", y2="images_per_s_high:Q", stroke=shades["stroke"])
    lines = base.mark_line(strokeWidth=1.5, opacity=0.8).encode(stroke=shades["stroke"])
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    best = frame.loc[frame.groupby("variant", sort=False)["images_per_s"].idxmax()]
    told = "; ".join(f"{row.variant} peaks at {row.images_per_s:,.0f} with batch {row.batch}" for row in best.itertuples())
    return alt.layer(bars.properties(data=interval(frame, "images_per_s")), lines, marks).properties(
        description=f"Line chart of images per second against batch size ({names(frame['batch'], 9)}): {told}."
    )


def _one_colour(field: str) -> dict:
    """The first colour for every value, no legend. A plain alt.value would colour the evidence legend too."""
    scale = alt.Scale(range=PALETTE[:1])
    return {
        "fill": alt.Fill(f"{field}:N", scale=scale, legend=None),
        "stroke": alt.Stroke(f"{field}:N", scale=scale, legend=None),
    }


def interval_names(value: str) -> list[str]:
    return [value, f"{value}_low", f"{value}_high"]


def size_breakdown(table: pd.DataFrame) -> alt.LayerChart:
    """One bar a row of `measure_sizes`, in its order: what training keeps on disk against what a device gets."""
    room = alt.Scale(domain=[0, 1.12 * table["size_mib"].max()], nice=False)  # for the number behind the longest bar
    base = alt.Chart(table, height=alt.Step(23)).encode(
        x=alt.X("size_mib:Q", title="size (MiB)", axis=alt.Axis(tickCount=5), scale=room),
        y=alt.Y("what:N", sort=table["what"].tolist(), title=None),
    )
    tips = tooltip(table, "what", "kind", "size_bytes", "tflite_ratio", "note")
    bars = base.mark_bar(height={"band": 0.7}).encode(fill=colour(table, "kind")["fill"], tooltip=tips)
    text = base.mark_text(align="left", dx=4, color=INK).encode(text=alt.Text("size_mib:Q", format=".1f"))
    largest, deployed = table.loc[table["size_bytes"].idxmax()], table[table["tflite_ratio"] == 1].iloc[-1]
    return alt.layer(bars, text).properties(
        description=f"Bar chart of sizes in MiB. The largest, {largest['what']}, has {largest['size_mib']:.1f} MiB: "
        f"{largest['tflite_ratio']:.1f} times the deployed {deployed['what']} with {deployed['size_mib']:.1f} MiB."
    )


def linked_tradeoffs(table: pd.DataFrame) -> alt.VConcatChart:
    """Size and latency against accuracy. A click on a mark singles its architecture out in both, the legend a precision."""
    frame = table.assign(size_kib=table["size_bytes"] / 1024)
    chosen = alt.selection_point(name="architecture", fields=["architecture"])
    kept = alt.selection_point(name="precision", fields=["precision"], bind="legend")
    panels = [_scatter(frame, x, title, chosen & kept) for x, title in (("size_kib", SIZE), ("latency_ms", LATENCY))]
    best, small = frame.loc[frame["accuracy"].idxmax()], frame.loc[frame["size_kib"].idxmin()]
    fast = frame.loc[frame["latency_ms"].idxmin()]
    # Both panels answer to both: add_params would warn and list a view that does not exist. Altair numbers the panels' names
    views = ["marks_size_kib_0", "marks_latency_ms_1"]
    selections = [alt.TopLevelSelectionParameter(**pick.param.to_dict(), views=views) for pick in (chosen, kept)]
    linked = alt.vconcat(*(panel.properties(height=240) for panel in panels), params=selections)
    return linked.properties(
        description=f"Two linked scatter charts of {len(frame)} variants: file size against accuracy, and latency against "
        f"accuracy. Most accurate: {best['variant']} ({best['accuracy']:.3f}); smallest: {small['variant']} "
        f"({small['size_kib']:,.0f} KiB, {small['accuracy']:.3f}); fastest: {fast['variant']} ({fast['latency_ms']:.3g} ms, "
        f"{fast['accuracy']:.3f})."
    )  # fmt: skip


def _scatter(table: pd.DataFrame, x: str, title: dict, picked=None) -> alt.LayerChart:
    """Accuracy over `x`; with a predicate `picked`, the marks that it does not hold fade."""
    base = alt.Chart(table).encode(x=alt.X(f"{x}:Q", **title), y=alt.Y("accuracy:Q", **ACCURACY))
    shades = colour(table, "precision")
    strong, faint = (
        alt.value(o) if picked is None else alt.when(picked).then(alt.value(o)).otherwise(alt.value(0.08)) for o in (0.9, 0.5)
    )
    intervals = [*interval_names("accuracy"), *interval_names("latency_ms")]
    tips = tooltip(table, "variant", "architecture", "precision", *intervals, "size_bytes", "macs", "parameters")
    high = base.mark_rule().encode(y="accuracy_low:Q", y2="accuracy_high:Q", stroke=shades["stroke"], opacity=faint)
    wide = base.mark_rule().encode(x=f"{x}_low:Q", x2=f"{x}_high:Q", stroke=shades["stroke"], opacity=faint)
    same = base.mark_line(opacity=0.25, strokeWidth=1, color=INK).encode(detail="architecture:N", order=f"{x}:Q")
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, opacity=strong, **shades)
    last = table.loc[table.groupby("architecture", sort=False)[x].idxmax()]
    labels = base.mark_text(dy=-13, color=INK).encode(text="architecture:N").properties(data=last)
    ends = ((high, interval(table, "accuracy")), (wide, interval(table, x)))
    bars = [bar.properties(data=rows) for bar, rows in ends if len(rows)]
    return alt.layer(*bars, same, marks.properties(name=f"marks_{x}"), labels)
