"""One resize and one scaling, the same in training, calibration and evaluation."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hwaware_utils.study.preprocessing import augmented_batches, resize_matrix, to_input

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


@given(st.integers(2, 64), st.integers(2, 256))
@settings(max_examples=50, deadline=None)
def test_every_output_pixel_is_a_weighted_mean(source, target):
    matrix = resize_matrix(source, target)
    assert np.allclose(matrix.sum(1), 1, atol=1e-5)
    assert (matrix >= 0).all()


def test_it_enlarges_as_tensorflow_does():
    from hwaware_utils.study.tf import tf

    expected = tf.image.resize(IMAGES, (96, 96)).numpy() / 127.5 - 1
    assert np.abs(to_input(IMAGES, 96) - expected).max() < 1e-4


def test_it_enlarges_as_pillow_does_within_a_grey_level():
    pillow = np.asarray(Image.fromarray(IMAGES[0]).resize((96, 96), Image.Resampling.BILINEAR), float)
    assert np.abs((to_input(IMAGES[:1], 96)[0] + 1) * 127.5 - pillow).max() <= 1.0


def test_inputs_span_minus_one_to_one():
    extremes = np.array([0, 255], np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    assert to_input(extremes, 64).min() == -1
    assert to_input(extremes, 64).max() == 1


def test_without_shift_zoom_and_flip_augmentation_is_the_plain_resize():
    labels = np.arange(4)
    (view,), order = next(iter(augmented_batches(IMAGES, labels, [64], 4, seed=3, shift=0, zoom=0, flip=False)))
    assert np.abs(view.numpy() - to_input(IMAGES, 64)[order.numpy()]).max() < 1e-4


def test_the_same_seed_gives_the_same_epoch_and_another_seed_another():
    first, again, other = (
        [view.numpy() for (view,), _ in augmented_batches(IMAGES, np.arange(4), [32], 2, seed=s)] for s in (5, 5, 6)
    )
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
