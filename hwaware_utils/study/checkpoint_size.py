"""Why a training checkpoint is several times larger than the file that is deployed: both are written and weighed.

A checkpoint holds the weights with batch normalisation still apart, and two moments (running means of the gradient and
of its square; Kingma and Ba 2015, Loshchilov and Hutter 2019) for each trainable weight. A device needs neither.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.quiet import quiet
from ..workload import load_workload, summary
from .quantization import quantize

FLOAT_BYTES = 4
KINDS = ("arithmetic", "training file", "deployed file")


def measure_sizes(model, fp32: Path) -> pd.DataFrame:
    """Sizes of the Keras `model` in training and of its FP32 .tflite, `fp32`, in deployment.

    A row a thing: what, kind (one of KINDS), size_bytes, size_mib, tflite_ratio (to the FP32 .tflite), note, evidence
    (`measured` for a file that was written, `modelled` for arithmetic). The files are temporary.
    """
    trainable, weights = (_count(group) for group in (model.trainable_weights, model.weights))
    folded = summary(load_workload(fp32))["parameters"]
    noise = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    sums, training, deployed = KINDS
    rows = [
        ("weights, folded", sums, folded * FLOAT_BYTES, f"{folded:,} x 4 B: batch norm is part of the convolutions"),
        ("weights, unfolded", sums, weights * FLOAT_BYTES, f"{weights:,} x 4 B, moving statistics included"),
        ("two AdamW moments", sums, 2 * trainable * FLOAT_BYTES, f"2 x {trainable:,} trainable weights x 4 B"),
        ("weights + moments", sums, (weights + 2 * trainable) * FLOAT_BYTES, "what a checkpoint must hold"),
        *((what, training, size, note) for what, size, note in _written(model)),
        (".tflite fp32", deployed, fp32.stat().st_size, "folded weights and the graph"),
        (".tflite fp16", deployed, len(quantize(fp32, "fp16")), "weights as 16-bit floats"),
        (
            ".tflite int8",
            deployed,
            len(quantize(fp32, "int8_ptq", noise)),
            "calibrated on noise: its size is right, its answers are not",
        ),
    ]
    frame = pd.DataFrame(rows, columns=["what", "kind", "size_bytes", "note"])
    frame.insert(3, "size_mib", frame["size_bytes"] / 2**20)
    frame.insert(4, "tflite_ratio", frame["size_bytes"] / fp32.stat().st_size)
    return frame.assign(evidence=np.where(frame["kind"] == sums, "modelled", "measured"))


def _written(model) -> list[tuple[str, int, str]]:
    """(what, size in bytes, note) of the files that Keras writes: weights only, and with the optimiser's state."""
    from .tf import keras

    copy = keras.models.clone_model(model)  # compiling must not touch the caller's model
    optimizer = keras.optimizers.AdamW(1e-3)
    optimizer.build(copy.trainable_variables)  # the moments exist from here on; a fresh optimiser has none to save
    copy.compile(optimizer, "mse")
    with tempfile.TemporaryDirectory() as folder, quiet():
        # Not "only.weights.h5": for that ending Keras writes the optimiser too
        paths = [Path(folder) / name for name in ("only.h5", "whole.keras", "whole.h5")]
        copy.save_weights(paths[0])
        copy.save(paths[1])
        copy.save(paths[2])
        sizes = [path.stat().st_size for path in paths]
    notes = ("unfolded weights, no optimiser", "weights, moments, graph", "the same in Keras' older format")
    return list(zip(("weights .h5", "checkpoint .keras", "checkpoint .h5"), sizes, notes, strict=True))


def _count(weights) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)
