"""Sparsity and clustering: the promised share of zeros and values, the original untouched, only compression gains."""

from dataclasses import replace

import numpy as np
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.study import data, quantization, sparsity


@pytest.fixture(scope="module")
def few_digits():
    whole = data.load("digits")
    return replace(whole, x_train=whole.x_train[:128], y_train=whole.y_train[:128])


@pytest.fixture(scope="module")
def model():
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(16, 3, strides=2, use_bias=False, name="stem")(inputs)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="stem_BN")(x))
    x = layers.DepthwiseConv2D(3, use_bias=False, name="depthwise")(x)
    x = layers.Conv2D(256, 1, use_bias=False, name="pointwise")(layers.ReLU(6.0)(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="module")
def pruned(model, few_digits):
    return sparsity.prune_magnitude(model, few_digits, 0.75, steps=7, batch_size=32)


@pytest.fixture(scope="module")
def clustered(model, few_digits):
    return sparsity.cluster_weights(model, few_digits, 8, steps=3, batch_size=32)


@pytest.fixture(scope="module")
def table(model, pruned, clustered):
    models = {"whole": model, "pruned": pruned, "clustered": clustered}
    return sparsity.measure_sparsity({name: quantization.convert_fp32(m) for name, m in models.items()}).set_index("name")


def kernel(network, name):
    return network.get_layer(name).get_weights()[0]


@pytest.mark.parametrize("name", ["stem", "pointwise", "logits"])
def test_each_kernel_has_the_promised_share_of_zeros(pruned, name):
    zeros = (kernel(pruned, name) == 0).mean()
    assert zeros == pytest.approx(0.75, abs=1 / kernel(pruned, name).size)


@pytest.mark.parametrize("name", ["stem", "pointwise", "logits"])
def test_each_kernel_has_the_promised_number_of_values(clustered, name):
    assert len(np.unique(kernel(clustered, name))) <= 8


def test_depthwise_kernels_are_left_out(model, pruned, clustered):
    assert (kernel(pruned, "depthwise") != 0).all()
    assert len(np.unique(kernel(clustered, "depthwise"))) == kernel(model, "depthwise").size


def test_the_model_that_was_given_is_left_alone_and_the_copies_learn(model, pruned, clustered):
    assert len(np.unique(kernel(model, "pointwise"))) > 1000
    assert [layer.name for layer in pruned.layers] == [layer.name for layer in model.layers]
    assert (kernel(pruned, "depthwise") != kernel(model, "depthwise")).any()
    assert (kernel(clustered, "depthwise") != kernel(model, "depthwise")).any()


def test_size_stays_and_compressed_size_falls(table):
    assert table["size_bytes"].max() < 1.05 * table["size_bytes"].min()
    assert (table.loc[["pruned", "clustered"], "compressed_bytes"] < 0.75 * table.loc["whole", "compressed_bytes"]).all()
    assert (table["compressed_bytes"] < table["size_bytes"]).all()
    assert (table["evidence"] == "measured").all()


def test_the_file_tells_sparsity_and_clusters(table, pruned):
    shares = [kernel(pruned, name) for name in ("stem", "depthwise", "pointwise", "logits")]
    expected = sum((k == 0).sum() for k in shares) / sum(k.size for k in shares)
    assert table.loc["pruned", "sparsity"] == pytest.approx(expected)
    assert table.loc["whole", "sparsity"] == 0
    assert table.loc["clustered", "unique_channel_weights"] <= 9 < table.loc["whole", "unique_channel_weights"]


def test_every_precision_is_read(model, few_digits, tmp_path):
    fp32 = tmp_path / "whole.fp32.tflite"
    fp32.write_bytes(quantization.convert_fp32(model))
    models = {"fp32": fp32, "fp16": quantization.quantize(fp32, "fp16")}
    models["int8_ptq"] = quantization.quantize(fp32, "int8_ptq", few_digits.x_train[:4])
    found = {name: [k.shape for k in sparsity.kernels(path)] for name, path in _written(models, tmp_path).items()}
    assert found["fp32"] == found["fp16"] == found["int8_ptq"] == [(16, 27), (16, 9), (256, 16), (10, 256)]
    assert sparsity.measure_sparsity(models)["unique_weights"].is_monotonic_decreasing


def _written(models, folder):
    paths = {name: folder / f"again-{name}.tflite" for name in models}
    for name, path in paths.items():
        path.write_bytes(models[name] if isinstance(models[name], bytes) else models[name].read_bytes())
    return paths


@pytest.mark.parametrize("share", [0, 1, -0.5, 50, float("nan")])
def test_a_useless_share_is_refused(model, few_digits, share):
    with pytest.raises(UserError, match=f"sparsity {share}"):
        sparsity.prune_magnitude(model, few_digits, share)


@pytest.mark.parametrize("n", [1, 0, 2.5])
def test_a_useless_number_of_clusters_is_refused(model, few_digits, n):
    with pytest.raises(UserError, match=f"n_clusters {n}"):
        sparsity.cluster_weights(model, few_digits, n)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 0}, {"batch_size": 129}, {"learning_rate": 0.0}])
def test_a_useless_setting_is_refused(model, few_digits, wrong):
    with pytest.raises(UserError, match="give"):
        sparsity.prune_magnitude(model, few_digits, 0.5, **wrong)


def test_a_file_that_is_no_model_is_refused():
    with pytest.raises(UserError, match=r"no \.tflite model"):
        sparsity.measure_sparsity({"nonsense": b"nothing of the kind, really"})
