"""Training in phases, resumable after any epoch, with an optional teacher.

The head is trained on features that the frozen backbone computes once; then everything is fine-tuned under a
cosine-decayed rate; then, if the recipe says so, polished: a second cosine with heavy augmentation. An epoch
depends only on its number and the weights it starts from, so a run that was interrupted ends with the same
weights as one that was not.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.results import written_whole
from .compression import compress
from .data import Dataset
from .models import mobilenet_v2, with_weights
from .preprocessing import HEAVY, LIGHT, augmented_batches, to_input
from .recipe import Recipe, find_weights
from .tf import keras, tf

COMPRESSION_IMAGES = 600  # training images for principal axes, least squares and batch-norm statistics


def train(recipe: Recipe, data: Dataset, folder: Path, weights: str = "none", teacher=None, say=print):
    """Train `recipe` on `data`; checkpoints live in `folder`. Returns (keras model, training log).

    The log has a row an epoch: phase, epoch, resolution, learning_rate, loss, accuracy, test_accuracy, seconds.
    `weights` is the place of the starting weights (the recipe holds their name). With a `teacher` model, the
    student starts as the teacher compressed, and learns from its logits too (Hinton et al. 2015).
    """
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    order = np.random.default_rng(recipe.seed).permutation(len(data.x_train))
    model = _start(recipe, data.x_train[order[:COMPRESSION_IMAGES]], weights, teacher)
    if recipe.train_images:
        chosen = order[: recipe.train_images]
        data = replace(data, x_train=data.x_train[chosen], y_train=data.y_train[chosen])
    optimizer = keras.optimizers.AdamW(0.0, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["BN", "bn", "bias", "gamma", "beta", "depthwise"])
    # Keras leaves the dropout's generator out of a model's checkpoint; a resumed run would drop other units
    generator = model.get_layer("dropout")._random_generator
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, dropout=generator)
    manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=1)
    log_file = folder / "training_log.csv"
    if manager.latest_checkpoint:
        optimizer.build(model.trainable_variables)
        checkpoint.restore(manager.latest_checkpoint).expect_partial()
        log = _read_log(log_file, _epoch_of(manager))
        say(f"{recipe.architecture}: resumed after epoch {len(log) - 1} of {recipe.all_epochs}")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        start = {"test_accuracy": accuracy(model, data, recipe.resolution)}
        log = [_train_head(model, recipe, data) if recipe.head_epochs else _row("start", 0, recipe, 0, np.nan, np.nan, **start)]
        say(_sentence(recipe, log[0]))
    flexible = any_size(model)
    step = _train_step(flexible, optimizer, recipe)
    for epoch in range(len(log), recipe.all_epochs + 1):
        soft = _teacher_logits(teacher, recipe, data, epoch, folder.parent) if recipe.teacher_weight else None
        row = _fine_tune_epoch(flexible, optimizer, step, recipe, data, epoch, soft)
        log.append(row)
        with written_whole(log_file) as path:
            pd.DataFrame(log).to_csv(path, index=False)
        manager.save(checkpoint_number=epoch)
        say(_sentence(recipe, row))
    return model, pd.DataFrame(log).assign(architecture=recipe.architecture)


def _start(recipe: Recipe, images, weights: str, teacher):
    if teacher is None:
        return mobilenet_v2(recipe.alpha, recipe.resolution, recipe.classes, find_weights(weights))
    kept = (recipe.expansion, recipe.stream, recipe.head)
    return compress(teacher, images, *kept, recipe.resolution, recipe.choice, recipe.seed)


def any_size(model):
    """The same layers and weights behind an input of any size."""
    inputs = keras.Input((None, None, 3))
    return keras.models.clone_model(model, inputs, clone_function=lambda layer: layer)


def _read_log(path: Path, epoch: int) -> list[dict]:
    """The rows up to `epoch`; UserError when the log does not reach as far as the checkpoint beside it."""
    log = pd.read_csv(path) if path.is_file() and path.stat().st_size else pd.DataFrame()
    if len(log) <= epoch:
        raise UserError(f"{path} does not match the checkpoint of epoch {epoch}: delete {path.parent} to train anew.")
    return log.iloc[: epoch + 1].to_dict("records")


def _epoch_of(manager) -> int:
    return int(manager.latest_checkpoint.rsplit("-", 1)[1])


def _row(phase, epoch, recipe, rate, loss, accuracy, **more) -> dict:
    row = {"phase": phase, "epoch": epoch, "resolution": recipe.resolution, "learning_rate": rate,
           "loss": loss, "accuracy": accuracy, "test_accuracy": np.nan, "seconds": 0.0}  # fmt: skip
    return row | more


def _sentence(recipe, row) -> str:
    place = f"{recipe.architecture}: {row['phase']} {row['epoch']}/{recipe.all_epochs} at {row['resolution']} px"
    scores = f"loss {row['loss']:.3f}, training accuracy {row['accuracy']:.4f}, test accuracy {row['test_accuracy']:.4f}"
    return f"{place}, {scores}, {row['seconds']:.0f} s"


def _train_head(model, recipe: Recipe, data: Dataset) -> dict:
    """Phase 1: the frozen backbone sees each image once; the head then trains on its cached features."""
    start = time.perf_counter()
    resolution = recipe.first_resolution or recipe.resolution
    small = with_weights(model.get_weights(), resolution)
    backbone = keras.Model(small.input, small.get_layer("dropout").input)
    features = predict(backbone, data.x_train, resolution)
    head = keras.Sequential([keras.layers.Dropout(0.2), keras.layers.Dense(recipe.classes)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    head.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    history = head.fit(features, data.y_train, 128, recipe.head_epochs, verbose=0).history
    for network in (model, small):
        network.get_layer("logits").set_weights(head.layers[-1].get_weights())
    return _row("head", 0, recipe, 1e-3, history["loss"][-1], history["accuracy"][-1], resolution=resolution,
                test_accuracy=accuracy(small, data, resolution), seconds=time.perf_counter() - start)  # fmt: skip


def _train_step(model, optimizer, recipe: Recipe):
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    share, temperature = recipe.teacher_weight, recipe.temperature

    @tf.function(reduce_retracing=True)
    def step(inputs, labels, teacher_logits):
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            hard = loss = cross_entropy(labels, logits)
            if share:
                soft = tf.nn.log_softmax(teacher_logits / temperature)
                gap = tf.reduce_sum(tf.exp(soft) * (soft - tf.nn.log_softmax(logits / temperature)), axis=-1)
                loss = (1 - share) * hard + share * temperature**2 * tf.reduce_mean(gap)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        return hard, tf.reduce_mean(tf.cast(tf.argmax(logits, -1) == labels, tf.float32))

    return step


def _batches(recipe: Recipe, data: Dataset, epoch: int, resolution: int):
    strength = HEAVY if epoch > recipe.epochs else LIGHT
    seed = recipe.seed + epoch
    return augmented_batches(data.x_train, data.y_train, [resolution], recipe.batch_size, seed, data.mirrored, **strength)


def _teacher_logits(teacher, recipe: Recipe, data: Dataset, epoch: int, folder: Path) -> np.ndarray:
    """The teacher's logits (steps, batch, classes) for one epoch's images, kept for the next student.

    An epoch's shifts and flips depend on its number and the seed alone: all students of one teacher see the same.
    """
    strength = "heavy" if epoch > recipe.epochs else "light"
    name = f"{recipe.teacher}-{strength}-{recipe.seed + epoch}-{recipe.batch_size}-{recipe.train_images or len(data.x_train)}"
    path = folder / "teacher_logits" / f"{name}.npy"
    if not path.is_file():
        batches = _batches(recipe, data, epoch, teacher.input_shape[1])
        logits = np.stack([teacher.predict_on_batch(inputs) for (inputs,), _ in batches])
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.save(file, logits, allow_pickle=False)
    return np.load(path, allow_pickle=False)


def _fine_tune_epoch(model, optimizer, step, recipe: Recipe, data: Dataset, epoch: int, soft) -> dict:
    """One epoch of fine-tuning or polishing; each of the two decays its own rate to zero."""
    start, sums, steps = time.perf_counter(), np.zeros(2), len(data.x_train) // recipe.batch_size
    resolution, polishing = recipe.resolution_of(epoch), epoch > recipe.epochs
    first, count = (recipe.epochs + 1, recipe.polish_epochs) if polishing else (1, recipe.epochs)
    peak = recipe.polish_learning_rate if polishing else recipe.learning_rate
    for number, ((inputs,), labels) in enumerate(_batches(recipe, data, epoch, resolution)):
        done = (epoch - first) * steps + number
        warm_up = min(1.0, (done + 1) / (0.5 * steps))
        optimizer.learning_rate.assign(peak * warm_up * 0.5 * (1 + np.cos(np.pi * done / (count * steps))))
        sums += [float(x) for x in step(inputs, labels, labels if soft is None else soft[number])]
    loss, train_accuracy = sums / steps
    phase = "polishing" if polishing else "fine-tuning"
    rate = float(optimizer.learning_rate.numpy())
    return _row(phase, epoch, recipe, rate, loss, train_accuracy, resolution=resolution,
                test_accuracy=accuracy(model, data, resolution), seconds=time.perf_counter() - start)  # fmt: skip


def predict(model, images: np.ndarray, resolution: int, batch: int = 250) -> np.ndarray:
    """The model's outputs for uint8 images, batch by batch: the inputs never stand in memory together."""
    inputs = (to_input(images[i : i + batch], resolution) for i in range(0, len(images), batch))
    return np.concatenate([model.predict_on_batch(x) for x in inputs])


def accuracy(model, data: Dataset, resolution: int) -> float:
    """Share of test images whose largest logit is the right one."""
    return float((predict(model, data.x_test, resolution).argmax(-1) == data.y_test).mean())
