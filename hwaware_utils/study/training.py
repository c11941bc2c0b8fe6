"""Training in two phases, resumable after any epoch, with an optional teacher.

Phase 1 trains the head on features that the frozen backbone computes once; phase 2 fine-tunes everything
under a cosine-decayed rate. An epoch depends only on its number and the weights it starts from, so a run that
was interrupted ends with the same weights as one that was not.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.results import written_whole
from .data import Dataset
from .models import copy_channels, mobilenet_v2
from .preprocessing import augmented_batches, to_input
from .recipe import Recipe, find_weights
from .tf import keras, tf


def train(recipe: Recipe, data: Dataset, folder: Path, weights: str = "none", teacher=None, say=print):
    """Train `recipe` on `data`; checkpoints live in `folder`. Returns (keras model, training log).

    The log has a row an epoch: phase, epoch, resolution, learning_rate, loss, accuracy, test_accuracy, seconds.
    `weights` is the place of the starting weights (the recipe holds their name). With a `teacher` model, the
    student starts from the teacher's channels and learns from its logits too (Hinton et al. 2015).
    """
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    model = mobilenet_v2(recipe.alpha, recipe.resolution, recipe.classes, find_weights(weights))
    if teacher is not None:
        copy_channels(teacher, model)
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
        say(f"{recipe.architecture}: resumed after epoch {len(log) - 1} of {recipe.epochs}")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        start = {"test_accuracy": accuracy(model, data, recipe.resolution)}
        log = [_train_head(model, recipe, data) if recipe.head_epochs else _row("start", 0, recipe, 0, np.nan, np.nan, **start)]
        say(_sentence(recipe, log[0]))
    flexible = any_size(model)
    step = _train_step(flexible, optimizer, recipe, teacher)
    for epoch in range(len(log), recipe.epochs + 1):
        row = _fine_tune_epoch(flexible, optimizer, step, recipe, data, epoch, teacher)
        log.append(row)
        with written_whole(log_file) as path:
            pd.DataFrame(log).to_csv(path, index=False)
        manager.save(checkpoint_number=epoch)
        say(_sentence(recipe, row))
    return model, pd.DataFrame(log).assign(architecture=recipe.architecture)


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
    place = f"{recipe.architecture}: {row['phase']} {row['epoch']}/{recipe.epochs} at {row['resolution']} px"
    scores = f"loss {row['loss']:.3f}, training accuracy {row['accuracy']:.4f}, test accuracy {row['test_accuracy']:.4f}"
    return f"{place}, {scores}, {row['seconds']:.0f} s"


def _train_head(model, recipe: Recipe, data: Dataset) -> dict:
    """Phase 1: the frozen backbone sees each image once; the head then trains on its cached features."""
    start = time.perf_counter()
    backbone = keras.Model(model.input, model.get_layer("dropout").input)
    features = predict(backbone, data.x_train, recipe.resolution)
    head = keras.Sequential([keras.layers.Dropout(0.2), keras.layers.Dense(recipe.classes)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    head.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    history = head.fit(features, data.y_train, 128, recipe.head_epochs, verbose=0).history
    model.get_layer("logits").set_weights(head.layers[-1].get_weights())
    return _row("head", 0, recipe, 1e-3, history["loss"][-1], history["accuracy"][-1],
                test_accuracy=accuracy(model, data, recipe.resolution), seconds=time.perf_counter() - start)  # fmt: skip


def _train_step(model, optimizer, recipe: Recipe, teacher):
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def distillation(views, logits):
        soft = tf.nn.log_softmax(teacher(views[-1], training=False) / recipe.temperature)
        divergence = tf.reduce_sum(tf.exp(soft) * (soft - tf.nn.log_softmax(logits / recipe.temperature)), axis=-1)
        return recipe.temperature**2 * tf.reduce_mean(divergence)

    @tf.function(reduce_retracing=True)
    def step(views, labels):
        with tf.GradientTape() as tape:
            logits = model(views[0], training=True)
            hard = cross_entropy(labels, logits)
            loss = hard
            if teacher is not None:
                loss = (1 - recipe.teacher_weight) * hard + recipe.teacher_weight * distillation(views, logits)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        return hard, tf.reduce_mean(tf.cast(tf.argmax(logits, -1) == labels, tf.float32))

    return step


def _fine_tune_epoch(model, optimizer, step, recipe: Recipe, data: Dataset, epoch: int, teacher) -> dict:
    """Phase 2, one epoch. Early epochs may run at a smaller input (`warm_resolution`): cheaper, and it generalises."""
    start, sums, steps = time.perf_counter(), np.zeros(2), len(data.x_train) // recipe.batch_size
    resolution = recipe.warm_resolution if epoch <= recipe.warm_epochs else recipe.resolution
    views = [resolution] if teacher is None else [resolution, teacher.input_shape[1]]
    batches = augmented_batches(data.x_train, data.y_train, views, recipe.batch_size, recipe.seed + epoch, flip=data.mirrored)
    for number, (inputs, labels) in enumerate(batches):
        progress = ((epoch - 1) * steps + number) / (recipe.epochs * steps)
        warm_up = min(1.0, (progress * recipe.epochs * steps + 1) / (0.5 * steps))
        optimizer.learning_rate.assign(recipe.learning_rate * warm_up * 0.5 * (1 + np.cos(np.pi * progress)))
        sums += [float(x) for x in step(inputs, labels)]
    loss, train_accuracy = sums / steps
    rate = float(optimizer.learning_rate.numpy())
    return _row("fine-tuning", epoch, recipe, rate, loss, train_accuracy, resolution=resolution,
                test_accuracy=accuracy(model, data, resolution), seconds=time.perf_counter() - start)  # fmt: skip


def predict(model, images: np.ndarray, resolution: int, batch: int = 250) -> np.ndarray:
    """The model's outputs for uint8 images, batch by batch: the inputs never stand in memory together."""
    inputs = (to_input(images[i : i + batch], resolution) for i in range(0, len(images), batch))
    return np.concatenate([model.predict_on_batch(x) for x in inputs])


def accuracy(model, data: Dataset, resolution: int) -> float:
    """Share of test images whose largest logit is the right one."""
    return float((predict(model, data.x_test, resolution).argmax(-1) == data.y_test).mean())
