"""Equal constants, which a .tflite stores once: each layer gets its own, under a name of its own."""

import numpy as np
import pytest

from hwaware_utils.study import benchmark, data, plain_int8, quantization
from hwaware_utils.study.float_layers import FloatModel
from hwaware_utils.study.preprocessing import to_input
from hwaware_utils.tflite_file import read_model


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A network of two layers with equal weights and biases."""
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(5)
    inputs = keras.Input((32, 32, 3))
    first = keras.layers.Conv2D(3, 3, padding="same", bias_initializer="random_normal")
    second = keras.layers.Conv2D(3, 3, padding="same")
    middle = keras.layers.ReLU(6.0)(first(inputs))
    outputs = keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(second(middle)))
    model = keras.Model(inputs, outputs)
    second.set_weights(first.get_weights())
    path = tmp_path_factory.mktemp("twins") / "twins.fp32.tflite"
    path.write_bytes(quantization.convert_fp32(model))
    return path


def test_each_layer_owns_its_constants_under_its_own_name(twins, tmp_path):
    graph = read_model(twins).subgraphs[0]
    shared = [operator.inputs[1] for operator in graph.operators if len(operator.inputs) == 3]
    assert graph.tensors[shared[0]].buffer == graph.tensors[shared[1]].buffer, "the converter no longer shares constants"
    model = FloatModel(twins)
    first, second = model.layers[:2]
    assert first.weights != second.weights
    model[second.weights] = 2 * model[second.weights]
    path = tmp_path / "changed.fp32.tflite"
    path.write_bytes(model.packed())
    names = [tensor.name for tensor in read_model(path).subgraphs[0].tensors]
    assert len(set(names)) == len(names)
    changed = FloatModel(path)
    np.testing.assert_allclose(changed[changed.layers[1].weights], 2 * changed[changed.layers[0].weights], rtol=1e-6)


def test_ai_edge_quantizer_takes_the_changed_file(twins, tmp_path):
    images = data.load("digits").x_train[:1]  # a single one, so that its extremes are the ranges
    path, int8 = tmp_path / "packed.fp32.tflite", tmp_path / "packed.int8.tflite"
    path.write_bytes(FloatModel(twins).packed())
    int8.write_bytes(plain_int8.convert_int8(path, to_input(images, 32)))
    expected = benchmark.predict_tflite(twins, images)
    assert np.abs(benchmark.predict_tflite(int8, images) - expected).max() < 0.1 * np.abs(expected).max()
