"""The stored study: whole, small enough, and still as accurate as its tables say."""

import os
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base import artifacts
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.base.schema_types import Architecture, Precision
from hwaware_utils.workload import load_workload, summary

VARIANTS = pd.read_csv(REFERENCE / "variants.csv")
STORED = VARIANTS[[(REFERENCE / name).is_file() for name in VARIANTS["model_file"]]]


def test_every_stored_file_is_the_one_of_the_manifest():
    manifest = artifacts.read_manifest(REFERENCE)
    for entry in manifest.values():
        for file in entry["files"].values():
            assert artifacts.sha256(REFERENCE / file["name"]) == file["sha256"], file["name"]
    listed = {file["name"] for entry in manifest.values() for file in entry["files"].values()}
    models = {path.name for path in REFERENCE.iterdir() if path.suffix in (".tflite", ".npz", ".delta")}
    assert models <= listed


def test_the_stored_models_take_at_most_45_mb():
    assert sum(path.stat().st_size for path in REFERENCE.iterdir() if path.suffix in (".tflite", ".npz", ".delta")) <= 45e6


def test_the_matrix_is_whole():
    counts = VARIANTS.groupby("architecture")["precision"].agg(set)
    assert set(counts.index) == set(get_args(Architecture))
    assert all(found == set(get_args(Precision)) for found in counts)
    assert VARIANTS["accuracy_n"].eq(10_000).all()


def test_the_tables_describe_the_stored_files():
    assert len(STORED) >= 16
    for row in STORED.itertuples():
        path = REFERENCE / row.model_file
        assert artifacts.sha256(path) == row.sha256
        totals = summary(load_workload(path))
        assert (totals["parameters"], totals["macs"], path.stat().st_size) == (row.parameters, row.macs, row.size_bytes)


@pytest.mark.skipif(not os.environ.get("HWAWARE_DATA"), reason="CIFAR-10 is not on this machine (HWAWARE_DATA)")
def test_recorded_accuracies_hold_on_a_fixed_sample():
    from hwaware_utils.study import data
    from hwaware_utils.study.benchmark import predict_tflite

    images, n = data.load("cifar10"), 1000
    sample = np.random.default_rng(0).permutation(len(images.x_test))[:n]
    for row in STORED.itertuples():
        share = (predict_tflite(REFERENCE / row.model_file, images.x_test[sample]).argmax(-1) == images.y_test[sample]).mean()
        # four standard errors of a sample drawn from the 10,000 images that gave the recorded share
        assert abs(share - row.accuracy) <= 4 * np.sqrt(row.accuracy * (1 - row.accuracy) / n * 0.9), row.variant
