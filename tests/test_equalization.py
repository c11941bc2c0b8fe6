"""Equalisation keeps the function and evens out the ranges; what it cannot handle is refused in one sentence."""

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.study import data, quantization
from hwaware_utils.study.benchmark import predict_tflite
from hwaware_utils.study.equalization import (
    CLIP,
    FLOOR,
    HEADROOM,
    _least_scale,
    compare_ranges,
    disparity,
    equalize,
    silence,
    weight_ranges,
)
from hwaware_utils.study.float_layers import FloatModel, channel_statistics
from hwaware_utils.study.preprocessing import to_input


@pytest.fixture(scope="module")
def images():
    return data.load("digits").x_train[:20]


@pytest.fixture(scope="module")
def random_net(tmp_path_factory):
    """A MobileNetV2 whose batch norms are drawn widely, as years of training leave them: some channels never fire."""
    from hwaware_utils.study.models import mobilenet_v2
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(3)
    model, rng = mobilenet_v2(0.35, 32, 10), np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            variance = np.exp(rng.normal(-2, 2.5, n)) if "depthwise" in layer.name else np.exp(rng.normal(-2, 0.5, n))
            layer.set_weights([rng.uniform(0.5, 1.5, n), rng.normal(0, 1, n), rng.normal(0, 0.1, n), variance])
        if layer.name.endswith("_expand_BN"):
            gamma, beta, mean, variance = layer.get_weights()
            gamma[::9], beta[::9] = 1e-3, -1.0  # silent: batch norm multiplies by nearly nothing and takes off 1
            layer.set_weights([gamma, beta, mean, variance])
    path = tmp_path_factory.mktemp("models") / "random.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(model))
    return path


@pytest.fixture(scope="module")
def equalized(random_net, images):
    path = random_net.with_name("equalized.fp32.tflite")
    path.write_bytes(equalize(random_net, to_input(images, 32)))
    return path


def small_net(tmp_path, *layers):
    from hwaware_utils.study.tf import keras

    path = tmp_path / "small.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(keras.Sequential([keras.Input((8, 8, 3)), *layers])))
    return path


def test_the_function_stays_on_the_observed_images(random_net, equalized, images):
    before, after = predict_tflite(random_net, images), predict_tflite(equalized, images)
    assert before.std() > 0.1
    assert np.abs(after - before).max() <= 1e-4
    assert equalized.read_bytes() != random_net.read_bytes()
    assert equalized.stat().st_size < 1.01 * random_net.stat().st_size


def test_the_stored_baseline_keeps_its_function(images, tmp_path):
    stored = sorted((ROOT / "results" / "reference").glob("baseline-*.fp32.tflite"))
    if not stored:
        pytest.skip("no stored baseline")
    pixels = int(channel_pixels(stored[0]))
    after = tmp_path / "equalized.fp32.tflite"
    after.write_bytes(equalize(stored[0], to_input(images, pixels)))
    assert np.abs(predict_tflite(after, images) - predict_tflite(stored[0], images)).max() <= 1e-4
    assert disparity(weight_ranges(after)).max() < disparity(weight_ranges(stored[0])).max()


def channel_pixels(fp32):
    from hwaware_utils.study.benchmark import open_model

    return open_model(fp32).get_input_details()[0]["shape"][1]


def test_the_ranges_of_depthwise_layers_come_closer(random_net, equalized):
    table = compare_ranges(random_net, equalized)
    spread = table.groupby("state")["weight_range"].agg(lambda r: r.max() / r.median())
    assert spread["after equalisation"] < 0.3 * spread["before"]
    steps = table.groupby("state")["steps"].median()
    assert steps["after equalisation"] > 3 * steps["before"]
    assert sorted(table.loc[table["state"] == "before", "rank"]) == list(range(len(table) // 2))
    assert set(table["evidence"]) == {"measured"}


def test_two_layers_get_the_geometric_mean_of_their_ranges(tmp_path):
    from hwaware_utils.study.tf import keras

    def fixed(values, shape):
        return keras.initializers.Constant(np.broadcast_to(values, shape))

    path = small_net(
        tmp_path,
        keras.layers.Conv2D(
            2, 1, activation="relu", kernel_initializer=fixed([4.0, 0.25], (1, 1, 3, 2)), bias_initializer="ones"
        ),
        keras.layers.Conv2D(3, 1, kernel_initializer=fixed([[1.0], [4.0]], (1, 1, 2, 3))),
    )
    after = tmp_path / "after.tflite"
    after.write_bytes(equalize(path, np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)))
    model = FloatModel(after)
    assert model[model.layers[0].weights][:, 0, 0, 0] == pytest.approx([2, 1])
    assert model[model.layers[0].bias] == pytest.approx([0.5, 4])
    assert model[model.layers[1].weights][0, 0, 0] == pytest.approx([2, 1])


def test_constants_that_the_converter_stored_once_are_scaled_each_for_itself(tmp_path):
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(1)
    relu6 = keras.layers.ReLU
    convolutions = [keras.layers.Conv2D(6, 3, bias_initializer=keras.initializers.Constant(0.1)) for _ in range(3)]
    layers = [layer for convolution in convolutions for layer in (convolution, relu6(6.0))]
    path, images = small_net(tmp_path, *layers), np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    after = tmp_path / "after.tflite"
    after.write_bytes(equalize(path, to_input(images, 8)))
    assert np.abs(predict_tflite(after, images) - predict_tflite(path, images)).max() <= 1e-5
    assert len({layer.bias for layer in FloatModel(after).layers}) == 3


@given(largest=st.floats(0, 6), wanted=st.floats(1e-3, 1e3), share=st.floats(-1, 1))
def test_a_permitted_scale_moves_no_clip(largest, wanted, share):
    least = _least_scale(np.array([largest]))[0]
    scale = 1.0 if np.isnan(least) else max(wanted, least)
    value = share * (HEADROOM * largest + FLOOR)  # anything up to the headroom above what was observed
    assert np.clip(value / scale, 0, CLIP) * scale == pytest.approx(np.clip(value, 0, CLIP), abs=1e-9)


def test_silent_channels_are_found_and_matter_to_no_observed_image(random_net, images, tmp_path):
    content, silenced = silence(random_net, to_input(images, 32))
    path = tmp_path / "silent.tflite"
    path.write_bytes(content)
    assert silenced > 20
    assert np.abs(predict_tflite(path, images) - predict_tflite(random_net, images)).max() <= 1e-5


def test_statistics_do_not_depend_on_the_batch(random_net, images):
    x = to_input(images[:7], 32)
    for one, many in zip(channel_statistics(random_net, x, 1), channel_statistics(random_net, x, 3), strict=True):
        assert one.keys() == many.keys()
        assert all(np.allclose(one[tensor], many[tensor], atol=1e-4) for tensor in one)


def test_useless_images_are_refused(random_net):
    with pytest.raises(UserError, match="calibration images"):
        equalize(random_net, np.zeros((0, 32, 32, 3), np.float32))
    with pytest.raises(UserError, match="NaN"):
        equalize(random_net, np.full((1, 32, 32, 3), np.nan, np.float32))


def test_a_model_that_is_quantised_already_is_refused(random_net, images, tmp_path):
    path = tmp_path / "int8.tflite"
    path.write_bytes(quantization.quantize(random_net, "int8_ptq", images[:5]))
    with pytest.raises(UserError, match=r"no FP32 \.tflite"):
        weight_ranges(path)


def test_a_model_without_two_convolutions_in_a_row_is_refused(tmp_path):
    from hwaware_utils.study.tf import keras

    path = small_net(tmp_path, keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3))
    with pytest.raises(UserError, match="nothing to equalise"):
        equalize(path, np.zeros((1, 8, 8, 3), np.float32))
