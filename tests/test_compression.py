"""Compression: nothing cut changes nothing, a rotation changes nothing, and what is cut is really gone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
X = RNG.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """A MobileNetV2 whose batch norms have lived: statistics, scales and shifts that are not their initial ones."""
    from hwaware_utils.study.channels import build, channels_of
    from hwaware_utils.study.compression import reestimate_batch_norm
    from hwaware_utils.study.models import mobilenet_v2
    from hwaware_utils.study.preprocessing import to_input

    small = channels_of(mobilenet_v2(0.35, 32, 10).get_weights())
    network, rng = build(small, 32, 10), np.random.default_rng(1)
    for layer in network.layers:
        if layer.name.endswith(("BN", "bn", "bn_Conv1")):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([rng.uniform(0.5, 1.5, gamma.shape), rng.normal(0.5, 0.5, beta.shape), mean, variance])
    reestimate_batch_norm(network, to_input(IMAGES, 32))
    return network


def test_nothing_cut_is_the_same_function(model):
    from hwaware_utils.study.compression import compress

    same = compress(model, IMAGES)
    assert np.abs(same.predict_on_batch(X) - model.predict_on_batch(X)).max() == 0


def test_the_builder_is_kerass_own_network():
    from hwaware_utils.study.channels import build, channels_of
    from hwaware_utils.study.tf import keras

    for alpha, resolution in ((0.35, 96), (1.0, 32)):
        theirs = keras.applications.MobileNetV2(
            (resolution, resolution, 3), alpha, include_top=False, weights=None, pooling="avg"
        )
        ours = build(channels_of(theirs.get_weights()), resolution, 10)
        ours.set_weights(theirs.get_weights() + ours.layers[-1].get_weights())
        x = RNG.uniform(-1, 1, (2, resolution, resolution, 3)).astype(np.float32)
        backbone = type(ours)(ours.input, ours.get_layer("dropout").input)
        assert np.abs(backbone.predict_on_batch(x) - theirs.predict_on_batch(x)).max() == 0


def test_rotating_the_streams_without_cutting_changes_nothing(model, monkeypatch):
    from hwaware_utils.study import compression

    monkeypatch.setattr(compression, "rounded", lambda width, share: width)
    monkeypatch.setattr(compression, "reestimate_batch_norm", lambda *_: None)
    turned = compression.compress(model, IMAGES, stream=0.999)
    before, after = model.predict_on_batch(X), turned.predict_on_batch(X)
    assert np.abs(before - after).max() < 1e-4 * np.abs(before).max() + 1e-4
    kernels = [m.get_layer("block_5_project").get_weights()[0] for m in (model, turned)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.01


def test_a_channel_that_nobody_reads_can_go_for_nothing(model):
    """With half of each block's expansions unread, importance drops exactly these and the function stays."""
    from hwaware_utils.study import compression
    from hwaware_utils.study.channels import build, channels_of

    padded = build(channels_of(model.get_weights()), 32, 10)
    padded.set_weights(model.get_weights())
    for layer in padded.layers:
        if layer.name.endswith("_project"):
            (kernel,) = layer.get_weights()
            kernel[:, :, ::2] = 0
            layer.set_weights([kernel])
    cut = compression.compress(padded, IMAGES, expansion=0.5)
    full = compression.compress(padded, IMAGES)
    compression.reestimate_batch_norm(full, compression.to_input(IMAGES, 32))
    before, after = full.predict_on_batch(X), cut.predict_on_batch(X)
    assert np.abs(before - after).max() < 0.02 * np.abs(before).max()


def test_shares_are_kept_and_random_differs_from_importance(model):
    from hwaware_utils.study.channels import channels_of
    from hwaware_utils.study.compression import compress, rounded

    full = channels_of(model.get_weights())
    cut = compress(model, IMAGES, expansion=0.5, stream=0.5, head=0.25, resolution=64)
    kept = channels_of(cut.get_weights())
    assert kept.expand == tuple(rounded(width, 0.5) for width in full.expand)
    assert kept.project == tuple(rounded(width, 0.5) for width in full.project)
    assert kept.head == 320
    assert cut.input_shape[1] == 64
    drawn = compress(model, IMAGES, expansion=0.5, stream=0.5, head=0.25, choice="random")
    assert channels_of(drawn.get_weights()) == kept
    assert any((a != b).any() for a, b in zip(drawn.get_weights(), cut.get_weights(), strict=True))


@given(st.integers(8, 2000), st.floats(0.01, 1))
def test_rounding_keeps_whole_simd_lanes(width, share):
    from hwaware_utils.study.compression import rounded

    kept = rounded(width, share)
    assert 8 <= kept <= width
    assert kept == width or kept % 8 == 0
    assert abs(kept - width * share) <= max(8, width * share / 2)


@pytest.mark.parametrize("bad", [{"expansion": 0}, {"stream": 1.5}, {"head": -1}, {"choice": "luck"}, {"images": IMAGES[:0]}])
def test_bad_input_gets_one_sentence(model, bad):
    from hwaware_utils.study.compression import compress

    with pytest.raises(UserError):
        compress(model, **{"images": IMAGES} | bad)


def test_the_students_of_one_teacher_share_its_moments(model, monkeypatch):
    from hwaware_utils.study import compression
    from hwaware_utils.study.channels import build, channels_of

    measure, asked = compression._measured_moments, []
    monkeypatch.setattr(compression, "_measured_moments", lambda *given: asked.append(1) or measure(*given))
    monkeypatch.setattr(compression, "_KEPT", {})
    images, ends = compression.to_input(IMAGES[:2], 32), ("depthwise_relu", "out_relu")
    first = compression._moments(model, images, ends)
    again = build(channels_of(model.get_weights()), 32, 10)  # the same network in another object
    again.set_weights(model.get_weights())
    assert compression._moments(again, images, ends) is first
    again.set_weights([1.01 * w for w in model.get_weights()])
    assert compression._moments(again, images, ends) is not first
    assert compression._moments(model, images[:1], ends) is not first
    assert len(asked) == 3
