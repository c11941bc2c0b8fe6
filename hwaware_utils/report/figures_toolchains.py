"""Figures about toolchains and exports: how fast each file of the same model runs. Table in, chart out."""

import altair as alt
import pandas as pd

from .encodings import colour, evidence_shape, interval, names, points, tooltip

RUNTIMES = {"tflite": "LiteRT", "onnx": "ONNX Runtime"}


def toolchains(table: pd.DataFrame) -> alt.LayerChart:
    """Latency of each way to make the same model, a row each, in the table's order."""
    frame, chart = _latencies(table.assign(file=table["variant"]))
    fastest, slowest = (frame.loc[place] for place in (frame["latency_ms"].idxmin(), frame["latency_ms"].idxmax()))
    return chart.properties(
        description=f"Dot plot of the latency of {len(frame)} files of one model, 10th to 90th percentile as a line: from "
        f"{fastest['latency_ms']:.3g} ms ({fastest['variant']}) to {slowest['latency_ms']:.3g} ms ({slowest['variant']}). "
        f"Accuracies lie between {frame['accuracy'].min():.3f} and {frame['accuracy'].max():.3f}."
    )


def exports(table: pd.DataFrame) -> alt.LayerChart:
    """Latency of each architecture's files: a row an architecture and precision, a colour a runtime."""
    frame, chart = _latencies(table.assign(file=table["architecture"] + " " + table["precision"]))
    wide = frame.pivot_table(index="file", columns="runtime", values="latency_ms", sort=False)
    faster = wide.index[wide["LiteRT"] < wide["ONNX Runtime"]]
    return chart.properties(
        description=f"Dot plot of the latency of {len(frame)} files of {frame['architecture'].nunique()} architectures in "
        f"LiteRT and ONNX Runtime, 10th to 90th percentile as a line. LiteRT is faster for: {names(faster, 8) or 'none'}."
    )


def _latencies(table: pd.DataFrame) -> tuple[pd.DataFrame, alt.LayerChart]:
    frame = table.assign(runtime=table["file_type"].map(RUNTIMES), evidence=table["latency_evidence"])
    base = alt.Chart(frame, height=alt.Step(24)).encode(
        x=alt.X("latency_ms:Q", title="latency (ms)", scale=alt.Scale(zero=True)),
        y=alt.Y("file:N", sort=frame["file"].tolist(), title=None, axis=alt.Axis(grid=True, labelLimit=165)),
    )
    shades = colour(frame, "runtime")
    tips = tooltip(frame, "variant", "made_by", "latency_ms", "latency_ms_low", "latency_ms_high", "size_bytes", "accuracy")
    ranges = base.mark_rule(opacity=0.6).encode(x="latency_ms_low:Q", x2="latency_ms_high:Q", stroke=shades["stroke"])
    marks = points(base).encode(shape=evidence_shape(), tooltip=tips, **shades)
    return frame, alt.layer(ranges.properties(data=interval(frame, "latency_ms")), marks)
