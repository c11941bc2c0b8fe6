"""Short fine-tuning of a changed copy of a network until it gives the original's logits again. No label is used."""

import math

from ..base.errors import UserError
from ..base.quiet import progress
from .data import Dataset
from .preprocessing import LIGHT, augmented_batches

WARM_UP = 0.05  # share of the steps over which the rate rises; the rest is a cosine to zero


def imitate(student, teacher, data: Dataset, *, steps: int, learning_rate: float, batch_size: int, seed: int, say: str) -> None:
    """Fine-tune `student` in place: Adam on the divergence of its class probabilities from the teacher's.

    Both are Keras models that give logits; their inputs may differ in size. The training images are drawn anew for
    each epoch and lightly augmented. `say` names the progress bar. UserError for a useless number.
    """
    from .tf import keras, tf

    per_epoch = len(data.x_train) // batch_size if batch_size > 0 else 0
    if not per_epoch:
        raise UserError(f"batch_size {batch_size}: give a number from 1 to {len(data.x_train)} (the training images).")
    if steps < 1 or not 0 < learning_rate < 1:
        raise UserError(f"{steps} training steps at rate {learning_rate}: give at least one, at a rate between 0 and 1.")
    optimizer = keras.optimizers.Adam(0.0)

    @tf.function
    def step(views):
        soft = tf.nn.log_softmax(teacher(views[-1], training=False))
        with tf.GradientTape() as tape:
            hard = tf.nn.log_softmax(student(views[0], training=True))
            loss = tf.reduce_mean(tf.reduce_sum(tf.exp(soft) * (soft - hard), axis=-1))
        gradients = tape.gradient(loss, student.trainable_variables)
        optimizer.apply_gradients(zip(gradients, student.trainable_variables, strict=True))

    sizes = list(dict.fromkeys([student.input_shape[1], teacher.input_shape[1]]))
    bar = iter(progress(range(steps), say))
    for epoch in range(math.ceil(steps / per_epoch)):
        batches = augmented_batches(data.x_train, data.y_train, sizes, batch_size, seed + epoch, data.mirrored, **LIGHT)
        for views, _ in batches.take(steps - epoch * per_epoch):
            optimizer.learning_rate.assign(learning_rate * rate(next(bar) / steps))
            step(views)
    next(bar, None)  # closes the bar


def rate(done: float) -> float:
    """The learning rate's share of its peak when the share `done` of the steps is over.

    >>> [round(rate(done), 3) for done in (0.0, 0.025, 0.05, 0.5, 1.0)]
    [0.0, 0.499, 0.994, 0.5, 0.0]
    """
    return min(1.0, done / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))
