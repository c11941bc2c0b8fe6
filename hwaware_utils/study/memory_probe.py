"""The program of one training measurement: a fresh process that trains a few steps and says what they took.

    python -m hwaware_utils.study.memory_probe <folder>

The folder holds `order.json` (and for a model object `model.json` and `weights.npz`); `answer.json` is written there.
"""

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np

from ..base.errors import UserError

MIB = 2**20


def main(folder: Path) -> None:
    """Answer the order in `folder`; what the user can put right is answered as a sentence."""
    order = json.loads((folder / "order.json").read_text())
    try:
        answer = _measured(order, folder)
    except UserError as error:
        answer = {"refused": str(error)}
    (folder / "answer.json").write_text(json.dumps(answer))


def _measured(order: dict, folder: Path) -> dict:
    from .tf import keras, tf

    idle_mib = _status_mib("VmRSS")
    if order["limit_mib"]:
        _refuse_more_than(2 * order["limit_mib"] + 1024)  # TensorFlow itself takes some hundred MiB
    keras.utils.set_random_seed(order["seed"])
    model = _build(order, folder)
    trained = model
    if order["checkpointed"]:
        from .checkpointing import checkpointed

        trained = checkpointed(model, order["segments"])
    inputs, labels = _random_batch(model, order["batch"], order["seed"])
    optimizer = keras.optimizers.get(order["optimizer"])
    optimizer.build(model.trainable_variables)
    loss_of = _loss(model)

    @tf.function
    def step(inputs, labels):
        with tf.GradientTape() as tape:
            loss = tf.add_n([loss_of(labels, trained(inputs, training=True)), *model.losses])
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    compiled = step.get_concrete_function(inputs, labels)  # tracing is no part of a step's time
    _reset_peak(tf)
    losses, cpu, wall = [], [], []
    for _ in range(order["steps"]):
        start = time.process_time(), time.perf_counter()
        losses.append(float(compiled(inputs, labels)))
        cpu.append(time.process_time() - start[0])
        wall.append(time.perf_counter() - start[1])
    allocator = _allocator_peak_mib(tf)
    rss = _status_mib("VmHWM") - idle_mib
    return {
        "peak_mib": rss if allocator is None else allocator, "peak_is": "process" if allocator is None else "allocator",
        "rss_mib": rss, "losses": losses, "cpu_s": cpu[1:] or cpu, "wall_s": wall[1:] or wall,
    }  # fmt: skip


def _build(order: dict, folder: Path):
    """The model of the order. UserError when its builder cannot be imported or its inputs have no fixed size."""
    from .tf import keras

    if order["build"]:
        module, function = order["build"].split(":")
        try:
            model = getattr(importlib.import_module(module), function)(**order["arguments"])
        except (ImportError, AttributeError, TypeError) as error:
            raise UserError(f"{order['build']} cannot be called with {order['arguments']}: {error}") from error
    else:
        model = keras.models.model_from_json((folder / "model.json").read_text())
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            model.set_weights([stored[name] for name in stored.files])
    for tensor in model.inputs or []:
        if None in tensor.shape[1:]:
            raise UserError(f"input {tensor.name!r} has the shape {tuple(tensor.shape)}: give it a fixed size.")
    if not model.inputs:
        raise UserError(f"model {model.name!r} does not know its inputs: build it from keras.Input.")
    return model


def _random_batch(model, batch: int, seed: int):
    """Inputs in [-1, 1] (integers: 0 or 1) and labels for each output: memory and time do not depend on the values."""
    from .tf import tf

    rng = np.random.default_rng(seed)

    def numbers(tensor):
        shape = (batch, *tensor.shape[1:])
        draw = rng.uniform(-1, 1, shape) if tensor.dtype.is_floating else rng.integers(0, 2, shape)
        return draw.astype(tensor.dtype.as_numpy_dtype)

    inputs = [tf.constant(numbers(tensor)) for tensor in model.inputs]
    labels = [tf.constant(rng.integers(0, tensor.shape[-1], (batch,))) for tensor in model.outputs]
    return (inputs[0] if len(inputs) == 1 else inputs), labels


def _loss(model):
    """Cross-entropy for outputs of (batch, classes), probabilities or logits; the mean square for any other output."""
    from .tf import keras, tf

    last = getattr(model.layers[-1], "activation", None)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=last is not keras.activations.softmax)

    def loss(labels, outputs):
        pairs = zip(labels, tf.nest.flatten(outputs), strict=True)
        return tf.add_n([cross_entropy(y, x) if len(x.shape) == 2 else tf.reduce_mean(tf.square(x)) for y, x in pairs])

    return loss


def _status_mib(field: str) -> float:
    """VmRSS or VmHWM of this process in MiB (Linux); elsewhere the peak that getrusage knows."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field)) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024)


def _reset_peak(tf) -> None:
    if _allocator_peak_mib(tf) is not None:
        tf.config.experimental.reset_memory_stats("CPU:0")


def _allocator_peak_mib(tf) -> float | None:
    """Peak of TensorFlow's allocator, weights and batch included; None where it keeps no statistics."""
    try:
        return tf.config.experimental.get_memory_info("CPU:0")["peak"] / MIB or None
    except ValueError:
        return None


def _refuse_more_than(mib: float) -> None:
    """The kernel gives this process no more than `mib` from now on: it fails alone instead of starving the machine."""
    import resource

    now = int(_status_mib("VmData") * MIB) if sys.platform == "linux" else 0
    if now:
        resource.setrlimit(resource.RLIMIT_DATA, (now + int(mib * MIB), resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
