"""Rows of variants.csv: what a model file is, and how accurate, measured here or recorded for the same bytes."""

from pathlib import Path

import pandas as pd

from ..base import artifacts
from ..base.reference import recorded_accuracy
from ..workload import load_workload, summary
from .benchmark import measure_accuracy
from .data import Dataset


def describe(source: artifacts.Artifact, model: Path, precision: str, data: Dataset | None) -> dict | None:
    """The row of `model`, made from the training artifact `source`.

    Without the data set the accuracy is the one recorded for a file with the same sha256. When there is none, a
    sentence is printed and None returned: an accuracy is never carried over from another file.
    """
    recipe, checksum = source.facts["recipe"], artifacts.sha256(model)
    name = f"{recipe['architecture']}-{precision}"
    accuracy = measure_accuracy(model, data, f"testing {name}") if data is not None else recorded_accuracy(checksum)
    if accuracy is None:
        print(f"{name} is left out: no accuracy is recorded for this file, and the data set to measure it is not here.")
        return None
    totals = summary(load_workload(model))
    return {
        "variant": name,
        "architecture": recipe["architecture"],
        "alpha": recipe["alpha"] * recipe.get("stream", 1.0),  # of what stands between the blocks
        "resolution": recipe["resolution"],
        "precision": precision,
        **accuracy,
        "parameters": totals["parameters"],
        "macs": totals["macs"],
        "size_bytes": model.stat().st_size,
        "model_file": model.name,
        "sha256": checksum,
    }


def as_table(rows: list[dict | None]) -> pd.DataFrame:
    """The rows that exist, `evidence` last but for the file's name and checksum."""
    return pd.DataFrame([row for row in rows if row is not None])


def against_fp32(variants: pd.DataFrame, timing: pd.DataFrame) -> pd.DataFrame:
    """Each variant beside its own architecture in FP32: adds points_against_own_fp32 (accuracy, hundredths), size_share,
    latency_ms and latency_share.
    """
    table = variants.merge(timing[["variant", "latency_ms", "latency_ms_low", "latency_ms_high"]], on="variant", how="left")
    own = table[table["precision"] == "fp32"].set_index("architecture")
    accuracy, size, latency = (table["architecture"].map(own[name]) for name in ("accuracy", "size_bytes", "latency_ms"))
    return table.assign(
        points_against_own_fp32=100 * (table["accuracy"] - accuracy),
        size_share=table["size_bytes"] / size,
        latency_share=table["latency_ms"] / latency,
    )


def training_log(artifact: artifacts.Artifact) -> pd.DataFrame:
    """The training log of an artifact: a row an epoch, `recorded` when it comes from the stored reference."""
    return pd.read_csv(artifact.files["log"]).assign(evidence="recorded" if artifact.recorded else "measured")
