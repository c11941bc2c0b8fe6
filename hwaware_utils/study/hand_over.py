"""A model for another process: the name of the function that builds it, or a Keras model as plain files."""

from pathlib import Path

import numpy as np

from ..base.errors import UserError


def checked_builder(build: str) -> str:
    """`module:function`, if it can be one. UserError otherwise."""
    module, _, function = build.partition(":")
    if not module or not function.isidentifier() or module == "__main__":
        raise UserError(f"model {build!r}: give 'module:function' of a module that can be imported, or a Keras model.")
    return build


def hand_over(model, folder: Path) -> None:
    """Write a Keras model into `folder` as JSON and arrays: nothing in these files is code. UserError when it cannot be."""
    if not any(base.__module__.startswith("tf_keras.") for base in type(model).__mro__):
        raise UserError(
            f"model of type {type(model).__name__}: give a tf_keras model or the name 'module:function' of a builder."
        )
    for layer in [part for part in model.submodules if hasattr(part, "get_config") and hasattr(part, "call")]:
        if type(layer).__name__ == "Lambda" or not type(layer).__module__.startswith("tf_keras."):
            raise UserError(
                f"layer {layer.name!r} ({type(layer).__name__}) is not Keras' own, so the model cannot be handed to another "
                "process: give the name 'module:function' of its builder instead."
            )
    try:
        (folder / "model.json").write_text(model.to_json())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(f"model {model.name!r} cannot be written as JSON ({error}): give its builder's name.") from error
    np.savez(folder / "weights.npz", **{f"w{number:04d}": weight for number, weight in enumerate(model.get_weights())})
