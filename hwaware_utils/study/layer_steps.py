"""A functional Keras model as the list of steps that the checkpoint planner reads."""

import math

from ..base.errors import UserError
from .checkpoint_plan import Step
from .tf import keras, tf

# Layers whose gradient asks for neither input nor output, and activations whose gradient asks for the output alone
MOVERS = (
    "Add", "AveragePooling2D", "Concatenate", "Cropping2D", "Dropout", "Flatten", "GlobalAveragePooling2D", "Permute",
    "Reshape", "SpatialDropout2D", "Subtract", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
)  # fmt: skip
BY_OUTPUT = ("elu", "relu", "relu6", "sigmoid", "softmax", "tanh")


def layer_calls(model) -> list:
    """The layer calls (Keras' nodes) of a functional model in the order of computation, inputs left out."""
    by_depth = getattr(model, "_nodes_by_depth", None)
    if not by_depth:
        raise UserError(f"{getattr(model, 'name', model)!r} is no functional Keras model: build it with keras.Model(in, out).")
    return [call for depth in sorted(by_depth, reverse=True) for call in by_depth[depth] if not call.is_input]


def steps_of(model) -> list[Step]:
    """One step a layer call. UserError when the model is not functional, has no fixed input size, or passes masks on."""
    calls = layer_calls(model)
    maker = {key: index for index, call in enumerate(calls) for key in call.flat_output_ids}
    return [
        _step(call.layer, tf.nest.flatten(call.outputs), tuple({maker[key]: 0 for key in call.flat_input_ids if key in maker}))
        for call in calls
    ]


def with_inner(layer) -> list:
    """The layer and all layers inside it."""
    return [layer, *(inner for inner in layer.submodules if isinstance(inner, keras.layers.Layer))]


def _step(layer, outputs: list, reads: tuple[int, ...]) -> Step:
    activates = isinstance(layer, keras.layers.Activation | keras.layers.ReLU)
    name = "relu" if isinstance(layer, keras.layers.ReLU) else getattr(getattr(layer, "activation", None), "__name__", "")
    return Step(
        name=layer.name,
        size_bytes=sum(_bytes(tensor, layer.name) for tensor in outputs),
        reads=reads,
        gradient_reads_input=type(layer).__name__ not in MOVERS and not (activates and name in BY_OUTPUT),
        gradient_reads_output=name in BY_OUTPUT or "Dropout" in type(layer).__name__,
        cheap=activates or isinstance(layer, keras.layers.BatchNormalization),
        repeatable=all(_repeatable(inner) for inner in with_inner(layer)),
    )


def _repeatable(layer) -> bool:
    """Whether a second call in training mode gives the same and leaves no trace (plain batch norm is taken care of)."""
    own = type(layer).__module__.startswith("tf_keras.") and not isinstance(layer, keras.layers.Lambda)
    random = isinstance(layer, keras.__internal__.layers.BaseRandomLayer)
    if isinstance(layer, keras.layers.BatchNormalization):
        stateful = layer.renorm
    else:
        stateful = layer.trainable and bool(layer.non_trainable_weights)
    return own and not random and not stateful and getattr(layer, "activity_regularizer", None) is None


def _bytes(tensor, name: str) -> int:
    if None in tensor.shape[1:]:
        raise UserError(f"layer {name!r} has outputs of shape {tuple(tensor.shape)}: give the model an input of fixed size.")
    if getattr(tensor, "_keras_mask", None) is not None:
        raise UserError(f"layer {name!r} passes a mask on, which recomputation would lose: build the model without masks.")
    return math.prod(tensor.shape[1:]) * tensor.dtype.size
