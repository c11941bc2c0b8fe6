"""Unstructured pruning and weight clustering with tfmot: what they change in a model's file, and what they do not.

Both keep every shape, so a dense runtime does the same work and the file has the same size; only a compressor sees
the zeros and the repeated values.
"""

import tempfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import quiet
from ..tflite_file import DTYPES, OPERATORS, read_model
from ..workload import MAC_OPERATORS
from .data import Dataset
from .imitation import imitate


def prune_magnitude(
    model, data: Dataset, sparsity: float, *, steps: int = 500, learning_rate: float = 2e-4, batch_size: int = 64, seed: int = 7
):  # fmt: skip
    """A copy of the Keras model whose convolution and dense kernels have this share of zeros: the smallest weights.

    The share grows over the first two thirds of the `steps` (Zhu and Gupta 2017, "To prune, or not to prune"), while
    the copy learns to give the logits of `model`. Depthwise kernels stay dense, as tfmot has it. UserError for a
    share outside 0..1.
    """
    if not 0 < sparsity < 1:
        raise UserError(f"sparsity {sparsity!r}: give the share of zero weights, over 0 and below 1.")
    tfmot = _tfmot(seed)
    every = max(1, steps // 60)
    last = max(1, 2 * steps // 3 // every) * every  # tfmot looks at the schedule's end only on a multiple of `every`
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, sparsity, 0, last, frequency=every)
    student = _wrapped(model, lambda layer: tfmot.sparsity.keras.prune_low_magnitude(layer, schedule))
    update = tfmot.sparsity.keras.UpdatePruningStep()
    update.set_model(student)
    update.on_train_begin()
    imitate(student, model, data, steps=steps, learning_rate=learning_rate, batch_size=batch_size, seed=seed, say="pruning")
    update.on_epoch_end(0)  # the last step of the optimizer has moved the zeros
    return tfmot.sparsity.keras.strip_pruning(student)


def cluster_weights(
    model, data: Dataset, n_clusters: int, *, steps: int = 500, learning_rate: float = 1e-4, batch_size: int = 64, seed: int = 7
):  # fmt: skip
    """A copy of the Keras model whose convolution and dense kernels hold `n_clusters` values each (depthwise: untouched).

    Batch norm scales each output channel when it is folded in: then the clusters are the values of a *channel*.
    UserError for fewer than two clusters.
    """
    if not isinstance(n_clusters, int) or n_clusters < 2:
        raise UserError(f"n_clusters {n_clusters!r}: give a whole number of 2 or more values a kernel.")
    tfmot = _tfmot(seed)
    start = tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS
    student = _wrapped(model, lambda layer: tfmot.clustering.keras.cluster_weights(layer, n_clusters, start))
    imitate(student, model, data, steps=steps, learning_rate=learning_rate, batch_size=batch_size, seed=seed, say="clustering")
    with quiet():
        return tfmot.clustering.keras.strip_clustering(student)


def measure_sparsity(models: dict[str, bytes | Path]) -> pd.DataFrame:
    """Zeros, repeated weights and sizes of .tflite files (paths or contents), a row a model.

    Columns: name; sparsity (share of zeros in all kernels of convolutions and dense layers); unique_weights (distinct
    values of a kernel, median of the kernels); unique_channel_weights (the same of an output channel); size_bytes;
    compressed_bytes (zlib, level 9); evidence. UserError names a file that is no usable .tflite.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            path = Path(folder) / f"{len(rows)}.tflite" if isinstance(model, bytes) else Path(model)
            if isinstance(model, bytes):
                path.write_bytes(model)
            found = kernels(path)
            if not found:
                raise UserError(f"{name} has no convolution or dense layer with stored weights: there is nothing to measure.")
            content = path.read_bytes()
            rows.append(
                {
                    "name": name,
                    "sparsity": sum(int((k == 0).sum()) for k in found) / sum(k.size for k in found),
                    "unique_weights": float(np.median([len(np.unique(k)) for k in found])),
                    "unique_channel_weights": float(np.median([len(np.unique(c)) for k in found for c in k])),
                    "size_bytes": len(content),
                    "compressed_bytes": len(zlib.compress(content, 9)),
                    "evidence": "measured",
                }
            )
    return pd.DataFrame(rows)


def kernels(path: Path) -> list[np.ndarray]:
    """The kernels of a .tflite as (output channels, weights of a channel), as stored (integers where quantised)."""
    model, file = read_model(path), Path(path).read_bytes()
    graph, found = model.subgraphs[0], []
    name = {number: OPERATORS.get(max(c.builtinCode, c.deprecatedBuiltinCode)) for number, c in enumerate(model.operatorCodes)}
    widened = {int(op.outputs[0]): int(op.inputs[0]) for op in graph.operators if name[op.opcodeIndex] == "DEQUANTIZE"}
    for operator in graph.operators:
        kind = name[operator.opcodeIndex]
        if kind not in MAC_OPERATORS:
            continue
        place = int(operator.inputs[1])
        tensor = graph.tensors[widened.get(place, place)]  # an fp16 file widens its weights when it is loaded
        buffer = model.buffers[tensor.buffer]
        behind = buffer.offset > 1  # ai-edge-quantizer writes constants behind the flatbuffer
        content = (
            file[buffer.offset : buffer.offset + buffer.size]
            if behind
            else bytes(buffer.data if buffer.data is not None else ())
        )
        if not content:
            continue
        values = np.frombuffer(content, DTYPES[tensor.type].lower()).reshape(tensor.shape)
        channels = np.moveaxis(values, -1, 0) if kind == "DEPTHWISE_CONV_2D" else values
        found.append(channels.reshape(len(channels), -1))
    return found


def _tfmot(seed: int):
    from .tf import keras, tf

    with quiet():
        import tensorflow_model_optimization as tfmot

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return tfmot


def _wrapped(model, wrap):
    """A copy of `model` with its convolutions and dense layers wrapped: tfmot wraps, and later changes, what it is given."""
    from .tf import keras

    chosen = (keras.layers.Conv2D, keras.layers.Dense)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    with quiet():
        return keras.models.clone_model(copy, clone_function=lambda layer: wrap(layer) if type(layer) in chosen else layer)
