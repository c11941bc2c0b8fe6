"""Checkpointing changes memory and nothing else; the planner is checked against every plan of a small network."""

import itertools

import numpy as np
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.study.checkpoint_plan import Plan, Segment, Step, plan_segments
from hwaware_utils.study.checkpointing import CheckpointedModel, checkpointed, plan_table
from hwaware_utils.study.layer_steps import steps_of
from hwaware_utils.study.models import mobilenet_v2
from hwaware_utils.study.tf import keras, tf

layers = keras.layers


def residual_model(dropout=0.0, shared=False):
    """Convolutions with batch norm, a skip over a strided branch, a layer that is called twice, dropout in the middle."""
    inputs = keras.Input((16, 16, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(layers.Conv2D(8, 3, padding="same")(inputs)))
    twice = layers.Conv2D(8, 3, padding="same", activation="relu", name="twice")
    x = twice(twice(x)) if shared else twice(x)
    y = layers.BatchNormalization(momentum=0.8)(layers.DepthwiseConv2D(3, padding="same")(layers.ZeroPadding2D(0)(x)))
    y = layers.Dropout(dropout, seed=1)(layers.ReLU()(y)) if dropout else layers.ReLU()(y)
    z = layers.BatchNormalization(fused=False)(layers.Conv2D(8, 1)(y))
    z = layers.Concatenate()([layers.Add()([x, z]), x])
    return keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling2D()(z)))


def train(model, forward, steps=2, **batch):
    """Losses, gradients of the last step, and weights (moving statistics included) after `steps` steps of SGD."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.uniform(-1, 1, (8, *model.input_shape[1:])), tf.float32)
    y = tf.constant(rng.integers(0, model.output_shape[-1], 8))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = cross_entropy(y, forward(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.1 * gradient)
        return loss, gradients

    results = [step() for _ in range(steps)]
    return [float(loss) for loss, _ in results], [g.numpy() for g in results[-1][1]], model.get_weights()


def assert_same_training(build, wrap):
    keras.utils.set_random_seed(3)
    plain = build()
    expected = train(plain, plain)
    keras.utils.set_random_seed(3)
    model = build()
    got = train(model, wrap(model))
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-6)
    for a, b in zip(got[1], expected[1], strict=True):
        assert np.abs(a - b).max() <= 1e-6 + 1e-5 * np.abs(b).max()
    for a, b in zip(got[2], expected[2], strict=True):  # the moving statistics too: updated once a step
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lean", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_any_cut_gives_the_same_losses_gradients_and_moving_statistics(lean, shared):
    def wrap(model):
        n = len(steps_of(model))
        cuts = (Segment(0, 4, lean), Segment(4, 7, lean), Segment(7, n - 1, lean))
        return CheckpointedModel(model, Plan(cuts, 0, 0))

    assert_same_training(lambda: residual_model(shared=shared), wrap)


def front_of_mobilenet():
    """MobileNetV2 to the end of its third inverted residual: strided, padded and residual blocks, in a third of the time."""
    whole = mobilenet_v2(0.35, 32, 10)
    features = layers.GlobalAveragePooling2D()(whole.get_layer("block_2_add").output)
    return keras.Model(whole.input, layers.Dense(10)(features))


def test_mobilenet_trains_the_same_under_its_own_plan():
    def wrap(model):
        small = checkpointed(model)
        assert len(small.plan.segments) > 1
        return small

    assert_same_training(front_of_mobilenet, wrap)


def test_dropout_keeps_its_mask():
    def wrap(model):
        small = checkpointed(model)
        kept = [step.name for step in steps_of(model) if not step.repeatable]
        assert kept == [layer.name for layer in model.layers if isinstance(layer, layers.Dropout)]
        inside = [i for segment in small.plan.segments for i in range(segment.first, segment.last)]
        assert inside and all(steps_of(model)[i].repeatable for i in inside)
        return small

    assert_same_training(lambda: residual_model(dropout=0.5), wrap)


def test_fit_predict_and_momentum_are_those_of_the_model():
    keras.utils.set_random_seed(0)
    model = residual_model()
    momenta = [layer.momentum for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    small = checkpointed(model)
    x, y = np.random.default_rng(0).normal(size=(16, 16, 16, 3)).astype("float32"), np.arange(16) % 4
    small.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = small.fit(x, y, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert [layer.momentum for layer in model.layers if isinstance(layer, layers.BatchNormalization)] == momenta
    np.testing.assert_allclose(small.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)
    assert len(small.trainable_variables) == len(model.trainable_variables)


def test_only_layers_that_repeat_themselves_are_recomputed():
    inputs = keras.Input((8,))
    x = layers.Lambda(lambda t: t + tf.random.normal(tf.shape(t)), name="noise")(inputs)
    x = layers.BatchNormalization(renorm=True, name="renorm")(x)
    x = layers.Dense(4, activity_regularizer="l2", name="penalty")(x)
    x = keras.Sequential([layers.Dense(4), layers.Dropout(0.5)], name="nested")(x)
    model = keras.Model(inputs, layers.Dense(4, name="dense")(layers.BatchNormalization(name="norm")(x)))
    repeatable = {step.name: step.repeatable for step in steps_of(model)}
    assert repeatable == {"noise": False, "renorm": False, "penalty": False, "nested": False, "norm": True, "dense": True}


def test_a_model_that_cannot_be_cut_gets_one_sentence():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(UserError, match="no functional Keras model"):
        checkpointed(Own(name="own"))
    free = keras.Input((None, None, 3))
    with pytest.raises(UserError, match="input of fixed size"):
        checkpointed(keras.Model(free, layers.Conv2D(2, 1)(free)))
    words = keras.Input((5,))
    with pytest.raises(UserError, match="mask"):
        checkpointed(keras.Model(words, layers.Embedding(9, 4, mask_zero=True)(words)))
    for wrong in (0, -1, 2.5):
        with pytest.raises(UserError, match=f"segments = {wrong}"):
            checkpointed(residual_model(), segments=wrong)


def test_the_plan_covers_every_layer_once_and_saves_memory():
    small = checkpointed(mobilenet_v2(0.35, 32, 10))
    table = plan_table(small)
    assert table["layers"].sum() == len(steps_of(small.model))
    assert set(table["evidence"]) == {"modelled"}
    assert table["recomputed"].iloc[-1] == 0, "the last part needs no recomputation"
    assert small.plan.peak_bytes < 0.5 * small.plan.plain_peak_bytes
    assert len(checkpointed(small.model, segments=2).plan.segments) <= 2


# The planner on its own


def chain(*sizes, **kinds):
    return [Step(f"s{i}", size, (i - 1,) if i else (), **kinds) for i, size in enumerate(sizes)]


def held_and_peak(steps, cuts, tail):
    """The moments of a plan by counting: bytes held before each segment, and the peak over all of them (plain segments)."""
    last_use = [max([j for j, s in enumerate(steps) if i in s.reads], default=len(steps)) for i in range(len(steps))]

    def work(a, b):
        kept = [any(i in s.reads and s.gradient_reads_input for s in steps) for i in range(len(steps))]
        moments = []
        for j in range(a, b):
            gradients = steps[j].size_bytes + sum(steps[i].size_bytes for i in steps[j].reads)
            moments.append(sum(steps[i].size_bytes for i in range(a, j + 1) if kept[i]) + gradients)
        return max(moments, default=0)

    held, peak = 0, 0
    for a, b in itertools.pairwise([0, *cuts]):
        peak = max(peak, held + work(a, b))
        held += sum(steps[i].size_bytes for i in range(a, b) if last_use[i] >= b)
    return max(peak, held + work(tail, len(steps)))


@pytest.mark.parametrize("seed", range(6))
def test_the_planner_is_as_good_as_trying_every_plan(seed):
    rng = np.random.default_rng(seed)
    n = 7
    steps = [
        Step(f"s{i}", int(rng.integers(1, 30)), tuple(sorted({i - 1, int(rng.integers(0, i))})) if i else ()) for i in range(n)
    ]
    subsets = (c for k in range(n) for c in itertools.combinations(range(1, n), k))
    best = min(held_and_peak(steps, cuts, cuts[-1] if cuts else 0) for cuts in subsets)
    plan = plan_segments(steps)
    plain = held_and_peak(steps, (), 0)
    assert plan.plain_peak_bytes == plain
    assert best <= plan.peak_bytes + 1 <= best + 0.08 * (plain - best) + 0.003 * plain + 1


def test_cuts_fall_where_the_network_is_narrow():
    steps = chain(100, 100, 100, 4, 100, 100, 100, 4, 100, 100, 100, 4)
    assert {segment.last for segment in plan_segments(steps).segments} <= {4, 8}


def test_nothing_is_recomputed_when_nothing_can_be_saved():
    assert plan_segments(chain(5)).segments == ()
    assert plan_segments(chain(9, 9, 9, repeatable=False)).segments == ()


def test_a_run_of_cheap_steps_is_one_part_where_that_frees_memory():
    norm, relu = Step("norm", 9, (0,), cheap=True), Step("relu", 9, (1,), cheap=True, gradient_reads_output=True)
    padded = [Step("conv", 9, ()), norm, relu, Step("pad", 9, (2,), gradient_reads_input=False)]
    assert Segment(0, 4, True).parts(padded) == [range(0, 1), range(1, 3), range(3, 4)]
    assert len(Segment(0, 4, False).parts(padded)) == 4
    convolved = [*padded[:3], Step("conv", 9, (2,))]  # its gradient asks for the activation: it stays anyway
    assert len(Segment(0, 4, True).parts(convolved)) == 4
