"""Gradient checkpointing for any functional Keras model: less training memory, for a second forward pass of some layers.

small = checkpointed(model)  # same weights, same losses, same gradients
small.compile(...)
small.fit(...)
"""

import contextlib
import inspect

import pandas as pd

from .checkpoint_plan import Plan, plan_segments
from .layer_steps import layer_calls, steps_of, with_inner
from .tf import keras, tf


def checkpointed(model, segments: int | None = None) -> "CheckpointedModel":
    """A model with the layers and weights of `model` that recomputes activations when it is trained.

    The cuts are planned for little memory; `segments` limits how many parts are recomputed. Memory is saved inside a
    tf.function (`fit` makes one). Layers whose second call may differ (dropout, anything that is not Keras' own) keep
    their activations. UserError when `model` is not functional, has no fixed input size, or passes masks on.
    """
    return CheckpointedModel(model, plan_segments(steps_of(model), segments))


def plan_table(small: "CheckpointedModel") -> pd.DataFrame:
    """The parts of the network, a row each: layers, how often they are computed again, KiB of their outputs an image."""
    steps = steps_of(small.model)
    parts = [(segment.first, segment.last, 1 + segment.lean) for segment in small.plan.segments]
    parts.append((parts[-1][1] if parts else 0, len(steps), 0))
    rows = [
        {"first_layer": steps[first].name, "last_layer": steps[last - 1].name, "layers": last - first,
         "recomputed": times, "outputs_kib": sum(step.size_bytes for step in steps[first:last]) / 1024,
         "evidence": "modelled"}
        for first, last, times in parts
    ]  # fmt: skip
    return pd.DataFrame(rows)


class CheckpointedModel(keras.Model):
    """`model`, whose segments of `plan` are recomputed in the backward pass. To store it, save `.model`."""

    def __init__(self, model, plan: Plan):
        super().__init__(name=f"{model.name}_checkpointed")
        self.model, self.plan = model, plan

    def call(self, inputs, training=None):
        if not training:
            return self.model(inputs, training=training)
        pairs = zip(self.model.inputs, tf.nest.flatten(inputs), strict=True)
        values = {str(id(source)): tf.cast(tensor, source.dtype) for source, tensor in pairs}
        outputs = [str(id(tensor)) for tensor in self.model.outputs]
        _run(_groups(self.model, self.plan), values, outputs, replay=False)
        return tf.nest.pack_sequence_as(self.model.output, [values[key] for key in outputs])


# A group is a layer call, or a list of groups that is recomputed as one. `values` maps a tensor's key to its tensor.


def _groups(model, plan: Plan) -> list:
    calls, steps, groups, done = layer_calls(model), steps_of(model), [], 0
    for segment in plan.segments:
        groups += calls[done : segment.first]
        parts = []
        for part in segment.parts(steps):
            # A group of one kernel computes nothing again, but frees the kernel's input before the gradient goes on
            alone = len(part) == 1 and not steps[part.start].spared_at_the_end
            parts.append(calls[part.start] if alone else [calls[i] for i in part])
        groups.append(parts)
        done = segment.last
    return groups + calls[done:]


def _leaves(group) -> list:
    return [leaf for part in group for leaf in _leaves(part)] if isinstance(group, list) else [group]


def _run(groups: list, values: dict, outputs: list[str], replay: bool) -> None:
    """Compute `groups` in order, from and into `values`; `outputs` are read afterwards."""
    for position, group in enumerate(groups):
        if not isinstance(group, list):
            _call(group, values, replay)
            continue
        calls = _leaves(group)
        made = [key for call in calls for key in call.flat_output_ids]
        read_later = {key for call in _leaves(groups[position + 1 :]) for key in call.flat_input_ids} | set(outputs)
        sources = list(dict.fromkeys(key for call in calls for key in call.flat_input_ids if key not in made))
        results = [key for key in made if key in read_later]
        tensors = _recomputed(group, sources, results, replay)(*[values[key] for key in sources])
        values.update(zip(results, tensors, strict=True))


def _recomputed(group: list, sources: list[str], results: list[str], replay: bool):
    """The function tensors -> tensors of a group that keeps nothing but its inputs for the backward pass."""

    @tf.custom_gradient
    def segment(*inputs):
        values = dict(zip(sources, inputs, strict=True))
        for call in _leaves(group):
            _call(call, values, replay)

        def gradient(*upstream, variables=()):
            # Without these two ties TensorFlow recomputes as soon as it can, and holds everything at once
            with tf.control_dependencies(upstream):
                again = [tf.identity(tensor) for tensor in inputs]
            repeated = dict(zip(sources, again, strict=True))
            with tf.GradientTape() as tape:
                tape.watch([tensor for tensor in again if tensor.dtype.is_floating])
                _run(group, repeated, results, replay=True)
            targets = [repeated[key] for key in results]
            gradients = tape.gradient(targets, [*again, *variables], output_gradients=list(upstream))
            with tf.control_dependencies([g for g in gradients if g is not None]):
                downstream = [g if g is None else tf.identity(g) for g in gradients[: len(again)]]
            return downstream, gradients[len(again) :]

        return [values[key] for key in results], gradient

    return segment


def _call(call, values: dict, replay: bool) -> None:
    """One layer call in training mode; in a replay, moving statistics stay as the first call has left them."""
    ids = call.flat_input_ids
    arguments, named = call.map_arguments({key: [values[key]] * ids.count(key) for key in ids})
    if "training" in inspect.signature(call.layer.call).parameters:
        named = named | {"training": True}
    with _unmoved(call.layer) if replay else contextlib.nullcontext():
        outputs = call.layer(*arguments, **named)
    values.update(zip(call.flat_output_ids, tf.nest.flatten(outputs), strict=True))


@contextlib.contextmanager
def _unmoved(layer):
    """While this block traces a batch norm, its momentum is 1: it writes its moving statistics back unchanged."""
    norms = [inner for inner in with_inner(layer) if isinstance(inner, keras.layers.BatchNormalization)]
    before = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 1.0
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
