"""What unstructured pruning and weight clustering do to one trained network: accuracy, sizes, latency."""

import tempfile
from pathlib import Path

import pandas as pd

from ..base import artifacts
from ..base.reference import required_table
from .benchmark import measure_accuracy, measure_latency
from .data import Dataset
from .quantization import convert_fp32
from .sparsity import cluster_weights, measure_sparsity, prune_magnitude
from .trained import keras_model


def describe_sparsity(source: artifacts.Artifact, p, data: Dataset | None, name: str = "sparsity") -> pd.DataFrame:
    """The network of `source` dense, pruned and clustered, FP32: a row each, or what `name`.csv recorded for it.

    Of the parameters `p`: sparsity, clusters, sparsity_steps, seed, n_runs, warm_up_runs, threads. Columns: those of
    `measure_sparsity`, accuracy with its interval, latency_ms, latency_share (of the dense one), sha256 (of the FP32
    file of `source`). UserError when there is neither data nor a record.
    """
    checksum = source.facts["files"]["fp32"]["sha256"]
    if data is None:
        return required_table(name, checksum, source.name)
    model, settings = keras_model(source), {"steps": p.sparsity_steps, "seed": p.seed}
    networks = {
        f"pruned {p.sparsity:.0%}": prune_magnitude(model, data, p.sparsity, **settings),
        f"{p.clusters} clusters": cluster_weights(model, data, p.clusters, **settings),
    }
    with tempfile.TemporaryDirectory() as folder:
        files = {"dense": source.files["fp32"]}
        for number, (label, network) in enumerate(networks.items()):
            files[label] = Path(folder) / f"{number}.tflite"
            files[label].write_bytes(convert_fp32(network))
        table = measure_sparsity(files)
        right = pd.DataFrame([measure_accuracy(path, data, f"testing {label}") for label, path in files.items()])
        timing = measure_latency(files, p.n_runs, p.warm_up_runs, p.threads)
    table = pd.concat([table, right[["accuracy", "accuracy_low", "accuracy_high", "accuracy_n"]]], axis=1)
    share = timing["latency_ms"] / timing["latency_ms"].iloc[0]
    return table.assign(latency_ms=timing["latency_ms"], latency_share=share, steps=p.sparsity_steps, sha256=checksum)
