"""From uint8 images to a model's input: one bilinear resize and one scaling, the same everywhere.

A bilinear resize is two small matrix products, so shift, zoom and flip cost nothing on top: they only change
the matrices. Half-pixel centres, edges repeated: what `tf.image.resize` and Pillow do when they enlarge.
"""

import numpy as np


def resize_matrix(source_px: int, target_px: int) -> np.ndarray:
    """Weights (target, source) of a bilinear resize along one axis.

    >>> resize_matrix(2, 4).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    centres = (np.arange(target_px) + 0.5) * source_px / target_px - 0.5
    centres = np.clip(centres, 0, source_px - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(source_px))).astype(np.float32)


def to_input(images: np.ndarray, resolution: int) -> np.ndarray:
    """uint8 (N, H, W, 3) -> float32 (N, resolution, resolution, 3) in [-1, 1]."""
    rows, columns = (resize_matrix(n, resolution) for n in images.shape[1:3])
    flat = images.astype(np.float32).transpose(0, 3, 1, 2)
    return (rows @ flat @ columns.T).transpose(0, 2, 3, 1) / 127.5 - 1.0


LIGHT = {"shift": 0.125, "zoom": 0.15}
HEAVY = {"shift": 0.125, "zoom": 0.3, "colour": 0.3, "cutout": 0.5}


def augmented_batches(images, labels, resolutions, batch, seed, flip=True, shift=0.125, zoom=0.15, colour=0.0, cutout=0.0):
    """One epoch as a tf.data set: (inputs, labels), inputs one array a resolution.

    Each image is flipped with probability 1/2, shifted by up to `shift` and zoomed by up to `zoom` of its side.
    Brightness, contrast and saturation change by up to `colour`; a square of `cutout` of the side turns grey
    (DeVries and Taylor 2017), its centre anywhere in the image.
    The same seed gives the same epoch, whatever came before: that is what makes a resumed run equal.
    """
    import tensorflow as tf

    side = images.shape[1]
    order = np.random.default_rng(seed).permutation(len(images))
    order = order[: len(order) // batch * batch].reshape(-1, batch)

    def axis_weights(unit_centre, scale, target):
        steps = (tf.range(target, dtype=tf.float32) + 0.5) / target - 0.5
        centres = (unit_centre[:, None] + scale[:, None] * steps) * side - 0.5
        centres = tf.clip_by_value(centres, 0.0, side - 1.0)
        return tf.nn.relu(1.0 - tf.abs(centres[:, :, None] - tf.range(side, dtype=tf.float32)))

    def recolour(pixels, draw):
        """Contrast about the image's mean, saturation about its grey, then brightness, on (batch, 3, side, side)."""
        factor = 1.0 + colour * draw[:2, :, None, None, None]
        mean = tf.reduce_mean(pixels, axis=(1, 2, 3), keepdims=True)
        pixels = mean + factor[0] * (pixels - mean)
        grey = tf.reduce_mean(pixels, axis=1, keepdims=True)
        pixels = grey + factor[1] * (pixels - grey) + 127.5 * colour * draw[2, :, None, None, None]
        return tf.clip_by_value(pixels, 0.0, 255.0)

    def cut_out(pixels, draw):
        centre = (draw[:, :, None] + 1.0) / 2.0 * side
        inside = tf.abs(tf.range(side, dtype=tf.float32) + 0.5 - centre) < cutout * side / 2
        hole = inside[0, :, None, :, None] & inside[1, :, None, None, :]
        return tf.where(hole, 127.5, pixels)

    def augment(index, step):
        draw = tf.random.stateless_uniform((4, batch), seed=(seed, tf.cast(step, tf.int32)), minval=-1.0)
        scale = 1.0 + zoom * draw[0]
        mirror = tf.where(draw[3] < 0, -1.0, 1.0) if flip else tf.ones(batch)
        pixels = tf.transpose(tf.cast(tf.gather(images_t, index), tf.float32), (0, 3, 1, 2))
        more = tf.random.stateless_uniform((5, batch), seed=(seed, tf.cast(step, tf.int32) + len(order)), minval=-1.0)
        pixels = recolour(pixels, more[:3]) if colour else pixels
        pixels = cut_out(pixels, more[3:]) if cutout else pixels
        inputs = []
        for px in resolutions:
            rows = axis_weights(0.5 + shift * draw[1], scale, px)
            columns = axis_weights(0.5 + shift * draw[2], scale * mirror, px)
            resized = tf.matmul(tf.matmul(rows[:, None], pixels), columns[:, None], transpose_b=True)
            inputs.append(tf.transpose(resized, (0, 2, 3, 1)) / 127.5 - 1.0)
        return tuple(inputs), tf.gather(labels_t, index)

    images_t, labels_t = tf.constant(images), tf.constant(labels)
    steps = tf.data.Dataset.from_tensor_slices((order, np.arange(len(order))))
    return steps.map(augment, num_parallel_calls=2, deterministic=True).prefetch(2)
