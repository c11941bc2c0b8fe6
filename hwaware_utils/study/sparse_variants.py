"""What unstructured pruning and weight clustering do to one trained network: accuracy, sizes, latency."""

import functools

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

    The two changed networks are found by their recipe, or fine-tuned now and stored. Of the parameters `p`: sparsity,
    clusters, sparsity_steps, seed, n_runs, warm_up_runs, threads, profile, retrain. Columns: those of
    `measure_sparsity`, accuracy with its interval, latency_ms, latency_share (of the dense one), sha256 (of the FP32
    file of `source`). UserError when there is neither data nor a record.
    """
    checksum = source.facts["files"]["fp32"]["sha256"]
    if data is None:
        return required_table(name, checksum, source.name)
    model = functools.cache(lambda: keras_model(source))
    settings = {"steps": p.sparsity_steps, "seed": p.seed}
    makers = {
        f"pruned {p.sparsity:.0%}": lambda: prune_magnitude(model(), data, p.sparsity, **settings),
        f"{p.clusters} clusters": lambda: cluster_weights(model(), data, p.clusters, **settings),
    }
    files = {"dense": source.files["fp32"]}
    for label, make in makers.items():
        recipe = {"architecture": "sparse", "source": checksum, "label": label, "dataset": data.fingerprint, **settings}
        found = artifacts.find(artifacts.recipe_id(recipe), p.profile, p.retrain)
        if found is None:
            found = artifacts.add(recipe, p.profile, {"fp32": ("fp32.tflite", convert_fp32(make()))}, dataset=data.name)
        files[label] = found.files["fp32"]
    table = measure_sparsity(files)
    right = pd.DataFrame([measure_accuracy(path, data, f"testing {label}") for label, path in files.items()])
    timing = measure_latency(files, p.n_runs, p.warm_up_runs, p.threads)
    table = pd.concat([table, right[["accuracy", "accuracy_low", "accuracy_high", "accuracy_n"]]], axis=1)
    share = timing["latency_ms"] / timing["latency_ms"].iloc[0]
    return table.assign(latency_ms=timing["latency_ms"], latency_share=share, steps=p.sparsity_steps, sha256=checksum)
