"""Quantisation-aware training: integer from end to end, near its float model, reproducible, and clear when it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.study import benchmark, data, qat, quantization
from hwaware_utils.study.preprocessing import to_input
from hwaware_utils.workload import load_workload

SETTINGS = {"images": 320, "epochs": 2, "learning_rate": 1e-3, "batch_size": 32}
WIDTHS = (13, 29, 37)  # of no MobileNetV2: no width may be assumed


def block(x, layers, name, width):
    """Expansion, depthwise convolution and projection with batch norm, as MobileNetV2 has them, and a residual sum."""
    y = x
    for kind, layer, settings in (("expand", layers.Conv2D, {"filters": width}), ("depthwise", layers.DepthwiseConv2D, {})):
        size = 1 if kind == "expand" else 3
        y = layer(kernel_size=size, padding="same", use_bias=False, name=f"{name}_{kind}", **settings)(y)
        y = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9, name=f"{name}_{kind}_BN")(y))
    y = layers.Conv2D(x.shape[-1], 1, use_bias=False, name=f"{name}_project")(y)
    return layers.Add(name=f"{name}_add")([x, layers.BatchNormalization(name=f"{name}_project_BN")(y)])


@pytest.fixture(scope="module")
def few_digits():
    whole = data.load("digits")
    return replace(whole, x_train=whole.x_train[:640], y_train=whole.y_train[:640])


@pytest.fixture(scope="module")
def model(few_digits):
    """A small network, trained for some seconds, whose depthwise channels differ 100-fold in scale."""
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(WIDTHS[0], 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU(6.0, name="stem_relu")(layers.BatchNormalization(momentum=0.9, name="stem_BN")(x))
    for number, width in enumerate(WIDTHS[1:]):
        x = block(x, layers, f"block_{number}", width)
    x = layers.Dropout(0.5, name="dropout")(layers.GlobalAveragePooling2D()(x))
    network = keras.Model(inputs, layers.Dense(10, name="logits")(x))
    network.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(to_input(few_digits.x_train, 16), few_digits.y_train, 32, epochs=20, verbose=0)
    for number, width in enumerate(WIDTHS[1:]):  # the same function: batch norm divides what the kernel multiplies
        scale = np.geomspace(1, 100, width).astype(np.float32)
        kernel, norm = (network.get_layer(f"block_{number}_depthwise{end}") for end in ("", "_BN"))
        gamma, beta, mean, variance = norm.get_weights()
        moved = scale**2 * variance + norm.epsilon * (scale**2 - 1)
        kernel.set_weights([kernel.get_weights()[0] * scale[:, None]])
        norm.set_weights([gamma, beta, mean * scale, moved])
    return network


@pytest.fixture(scope="module")
def float_logits(model, few_digits):
    return model.predict(to_input(few_digits.x_test, 16), verbose=0)


@pytest.fixture(scope="module")
def int8(model, few_digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("qat") / "tiny.int8_qat.tflite"
    path.write_bytes(qat.quantization_aware(model, few_digits, **SETTINGS))
    return path


def test_the_file_is_integer_and_looks_like_the_other_int8_files(int8):
    quantization.assert_operators(load_workload(int8), "int8_qat")
    interpreter = benchmark.open_model(int8)
    assert interpreter.get_signature_list() == {
        quantization.SIGNATURE: {"inputs": [quantization.INPUT], "outputs": ["logits"]},
    }
    assert interpreter.get_input_details()[0]["dtype"] == interpreter.get_output_details()[0]["dtype"] == np.int8


def test_it_stays_near_its_float_model(int8, float_logits, few_digits):
    logits = benchmark.predict_tflite(int8, few_digits.x_test)
    truth = few_digits.y_test
    assert (float_logits.argmax(-1) == truth).mean() > 0.8
    assert (logits.argmax(-1) == truth).mean() >= (float_logits.argmax(-1) == truth).mean() - 0.01
    assert (logits.argmax(-1) == float_logits.argmax(-1)).mean() > 0.97


def test_every_depthwise_channel_has_its_own_scale(int8):
    """An 8-bit kernel with one scale for all channels leaves the small ones a few values; with their own, each uses 127."""
    interpreter = benchmark.open_model(int8)
    depthwise = [
        tensor["index"] for tensor in interpreter.get_tensor_details()
        if tensor["shape"].tolist() in [[1, 3, 3, width] for width in WIDTHS[1:]] and tensor["dtype"] == np.int8
    ]  # fmt: skip
    assert len(depthwise) == 2
    for tensor in depthwise:
        assert (np.abs(interpreter.get_tensor(tensor)[0]).max((0, 1)) >= 126).all()


def test_ranges_start_at_what_the_float_model_shows(model, few_digits):
    inputs = to_input(few_digits.x_train[:64], 16)
    student = qat.with_rounding(model)
    qat.start_ranges(student, model, inputs)
    found = {variable.name: float(variable) for variable in student.weights if variable.shape == ()}
    assert found["quant_stem_relu/output_min:0"] == 0
    assert 0 < found["quant_stem_relu/output_max:0"] <= 6
    assert found["quant_logits/post_activation_max:0"] == pytest.approx(model.predict_on_batch(inputs).max(), rel=1e-5)
    assert [name for name, value in found.items() if value == -6 and "kernel" not in name] == []  # tfmot's own start


def test_statistics_stay_and_the_float_model_is_left_alone(model, few_digits):
    before = [w.copy() for w in model.get_weights()]
    student = qat.with_rounding(model)
    student(to_input(few_digits.x_train[:8], 16), training=True)
    for layer in model.layers:
        if layer.name.endswith("_BN"):
            inner = student.get_layer(f"quant_{layer.name}").layer
            assert all((a == b).all() for a, b in zip(layer.get_weights(), inner.get_weights(), strict=True))
            assert len(inner.trainable_weights) == 2
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_the_same_seed_gives_the_same_bytes(model, few_digits, int8):
    assert qat.quantization_aware(model, few_digits, **SETTINGS) == int8.read_bytes()


@pytest.mark.parametrize("images", [0, 31, 641])
def test_a_useless_number_of_images_is_refused(model, few_digits, images):
    with pytest.raises(UserError, match=f"^{images} images"):
        qat.quantization_aware(model, few_digits, images=images, batch_size=32)


def test_a_layer_that_tfmot_does_not_know_is_named(few_digits):
    from hwaware_utils.study.tf import keras

    layers, inputs = keras.layers, keras.Input((16, 16, 3))
    inner = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 1)], name="inner")
    wrong = {
        "scaled": layers.Rescaling(1 / 255, name="scaled")(inputs),
        "inner": inner(inputs),
        "squashed": layers.Conv2D(4, 1, activation="elu", name="squashed")(inputs),
        "lonely_BN": layers.BatchNormalization(name="lonely_BN")(inputs),
    }
    for name, x in wrong.items():
        model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)))
        with pytest.raises(UserError, match=f"layer '{name}'"):
            qat.quantization_aware(model, few_digits, images=64)


def test_a_model_of_two_outputs_is_refused_before_it_trains(model, few_digits):
    from hwaware_utils.study.tf import keras

    two = keras.Model(model.input, [model.output, model.get_layer("stem_relu").output])
    with pytest.raises(UserError, match="one output"):
        qat.quantization_aware(two, few_digits, images=64)
