"""The pair of an update is real: the network has learned, and a frozen successor differs in weights and biases alone."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from hwaware_utils.base import artifacts
from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.ota import delta, table, worth
from hwaware_utils.decide.ota.frozen import quantize_frozen
from hwaware_utils.decide.ota.layout import segments
from hwaware_utils.decide.ota.pair import fine_tuned_pair, mixed_images
from hwaware_utils.study import benchmark, data, quantization
from hwaware_utils.study.corruptions import corrupt
from hwaware_utils.study.fine_tuning import fine_tune
from hwaware_utils.study.preprocessing import to_input
from hwaware_utils.tflite_file import read_model
from hwaware_utils.workload import load_workload

DIGITS = data.load("digits")
IMAGES, LABELS = DIGITS.x_train[:200], DIGITS.y_train[:200]


@pytest.fixture(scope="module")
def fp32(tmp_path_factory):
    """A small network with all operators that fine-tuning knows, trained from random weights by fine-tuning itself."""
    from hwaware_utils.study.tf import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    x = source = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6", name="stem")(x)
    x = layers.DepthwiseConv2D(3, strides=2, activation="relu6", name="deep")(layers.ZeroPadding2D(1)(x))
    x = skip = layers.Conv2D(16, 1, name="wide")(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="narrow")(x)
    x = layers.Dense(10, name="head")(layers.GlobalAveragePooling2D()(layers.Add()([x, skip])))
    model, folder = keras.Model(source, x), tmp_path_factory.mktemp("pair")
    for number, variable in enumerate(v for v in model.trainable_variables if "bias" in v.name):
        variable.assign(0.01 * (number + 1) + variable)  # biases of zeros would be stored once, for all layers
    start, path = folder / "start.tflite", folder / "net.tflite"
    start.write_bytes(quantization.convert_fp32(model))
    path.write_bytes(fine_tune(start, IMAGES, LABELS, steps=120, learning_rate=1e-2))
    return path


@pytest.fixture(scope="module")
def int8(fp32):
    path = fp32.with_name("net.int8.tflite")
    path.write_bytes(quantization.quantize(fp32, "int8_ptq", IMAGES[:40]))
    return path


@pytest.fixture(scope="module")
def pair(fp32, int8):
    """The pair as a notebook asks for it, from a training artifact."""
    facts = {"recipe": {"architecture": "toy"}, "files": {"fp32": {"sha256": artifacts.sha256(fp32)}}}
    source = artifacts.Artifact("toy-0", {"fp32": fp32}, facts, recorded=False)
    return lambda images=DIGITS: fine_tuned_pair(
        source, int8, "ota-test", images, images=100, steps=2, learning_rate=1e-4, calibration=20
    )


def test_the_forward_pass_is_the_files_and_training_makes_it_better(fp32):
    start = fp32.with_name("start.tflite")
    losses = [_loss(benchmark.predict_tflite(path, IMAGES)) for path in (start, fp32)]
    assert losses[1] < 0.8 * losses[0]
    still = fp32.with_name("still.tflite")
    still.write_bytes(fine_tune(fp32, IMAGES, LABELS, steps=1, learning_rate=1e-12))
    same = [benchmark.predict_tflite(path, IMAGES[:20]) for path in (fp32, still)]
    assert np.allclose(*same, atol=1e-4)


def _loss(logits: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(-(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))[np.arange(len(LABELS)), LABELS].mean())


def test_fine_tuning_computes_what_the_interpreter_computes(fp32):
    assert {"PAD", "ADD", "MEAN", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"} <= set(load_workload(fp32)["operator"])
    from hwaware_utils.study import fine_tuning
    from hwaware_utils.study.float_layers import FloatModel
    from hwaware_utils.study.tf import tf

    network = FloatModel(fp32)
    constants = {
        t: tf.constant(network[t].astype(np.float32)) for la in network.layers for t in (la.weights, la.bias) if t >= 0
    }
    ours = fine_tuning._forward(fp32, network, constants, tf)(to_input(IMAGES[:8], 16)).numpy()
    assert np.allclose(ours, benchmark.predict_tflite(fp32, IMAGES[:8]), atol=1e-4)


def test_the_same_network_frozen_is_the_base_again(fp32, int8):
    inputs = quantization.calibration_inputs(fp32, IMAGES[:40])
    old, new = int8.read_bytes(), quantize_frozen(int8, fp32, inputs)
    changed = np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8)
    weights = np.zeros(len(old), bool)
    for place in segments(old):
        if place.width == 1 and place.key[0] == "constant":
            weights[place.offset : place.offset + place.length] = True
    assert changed[weights].mean() < 1e-3  # a weight on the edge of a step, in float32 there and in float64 here
    assert changed.sum() < 200  # some biases by their last digit


def test_a_frozen_successor_differs_in_constants_alone(pair, int8):
    made = pair()
    old, new = int8.read_bytes(), made.frozen.read_bytes()
    assert len(old) == len(new)
    inside = np.zeros(len(old), bool)
    for place in segments(old):
        if place.key[0] == "constant":
            inside[place.offset : place.offset + place.length] = True
    differs = np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8)
    assert differs.any()
    assert not differs[~inside].any()
    read_model(made.frozen)
    scales = [[list(t.quantization.scale) for t in read_model(path).subgraphs[0].tensors if t.quantization.scale is not None]
              for path in (int8, made.frozen, made.fresh)]  # fmt: skip
    assert scales[0] == scales[1] != scales[2]


def test_both_successors_do_what_the_tuned_network_does(pair):
    made = pair()
    frozen, fresh = (benchmark.predict_tflite(path, IMAGES).argmax(-1) for path in (made.frozen, made.fresh))
    assert (frozen == fresh).mean() > 0.8


def test_the_pair_is_stored_and_found_again_and_makes_the_table(pair):
    first = pair()
    assert pair(None) == first
    found = table.ota_table({"toy": first})
    assert len(found) == 2 * len(delta.METHODS)
    frozen, fresh = (found[(found["scales"] == kind) & found["chosen"]].iloc[0] for kind in ("frozen", "fresh"))
    assert frozen["delta_bytes"] < fresh["delta_bytes"]
    for kind in ("frozen", "fresh"):
        sizes = found[found["scales"] == kind].set_index("method")["delta_bytes"]
        assert sizes.min() < sizes["full_lzma"]
    assert frozen["sha256"] == hashlib.sha256(first.frozen.read_bytes()).hexdigest()
    assert list(found)[-1] == "evidence"


def test_a_successor_is_stored_as_a_delta_and_put_together_from_it(pair):
    made = pair()
    deltas = [path.with_suffix(".delta") for path in (made.frozen, made.fresh)]
    before = [path.read_bytes() for path in (made.frozen, made.fresh)]
    for stored, whole in zip(deltas, (made.frozen, made.fresh), strict=True):
        assert stored.stat().st_size < whole.stat().st_size
        whole.unlink()
    again = pair(None)
    assert [path.read_bytes() for path in (again.frozen, again.fresh)] == before
    made.frozen.write_bytes(b"altered")
    assert pair(None).frozen.read_bytes() == before[0]


def test_what_an_update_is_worth(pair):
    made, wanted = pair(), SimpleNamespace(test_images=60, update_corruption="noise", update_severity=3, seed=7)
    found = worth.measure_worth(made, DIGITS, wanted).set_index(["model", "images"])
    assert len(found) == 6
    assert (found["accuracy_n"] == 60).all()
    assert found["accuracy"].between(found["accuracy_low"], found["accuracy_high"]).all()
    for kind in ("clean", "changed"):
        gain = 100 * (found.loc[("fresh", kind), "accuracy"] - found.loc[("base", kind), "accuracy"])
        assert found.loc[("fresh", kind), "change_points"] == pytest.approx(gain)
        assert found.loc[("base", kind), "change_points"] == 0
    with pytest.raises(UserError, match="no update_accuracy is recorded"):
        worth.measure_worth(made, None, wanted)
    with pytest.raises(UserError, match="test_images 99999"):
        worth.measure_worth(made, DIGITS, SimpleNamespace(**vars(wanted) | {"test_images": 99999}))


def test_every_other_image_is_corrupted():
    seen, labels = mixed_images(DIGITS, 40, "brightness", 5, seed=1)
    chosen = np.random.default_rng(1).permutation(len(DIGITS.x_train))[:40]
    assert np.array_equal(seen[1::2], DIGITS.x_train[chosen[1::2]])
    assert np.array_equal(seen[::2], corrupt(DIGITS.x_train[chosen[::2]], "brightness", 5))
    assert np.array_equal(labels, DIGITS.y_train[chosen])


def test_bad_input_gets_one_sentence(fp32, int8, pair):
    inputs = to_input(IMAGES[:2], 16)
    with pytest.raises(UserError, match="FLOAT32 weights"):
        quantize_frozen(fp32, fp32, inputs)
    with pytest.raises(UserError, match="no FP32"):
        quantize_frozen(int8, int8, inputs)
    with pytest.raises(UserError, match="0 training steps"):
        fine_tune(fp32, IMAGES, LABELS, steps=0)
    with pytest.raises(UserError, match="200 images, 199 labels"):
        fine_tune(fp32, IMAGES, LABELS[1:], steps=1)
    with pytest.raises(UserError, match="1 images to fine-tune on"):
        mixed_images(DIGITS, 1, "noise", 1, seed=0)
