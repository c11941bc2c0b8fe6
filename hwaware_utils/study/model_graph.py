"""A piece of a model's graph as a table."""

from pathlib import Path

import pandas as pd

from ..base.errors import UserError
from ..workload import load_workload
from .partial_int8 import layer_names


def block_operators(model: Path, block: str) -> pd.DataFrame:
    """The operators of the .tflite `model` whose layer's name begins with `block` and `_` (block_2: the third block).

    Columns: name, operator, kernel, output_shape (batch, height, width, channels), dtype, macs, weight_bytes, evidence.
    UserError when the model has no such block.
    """
    work = load_workload(model).assign(name=layer_names(model))
    rows = work[work["name"].str.startswith(f"{block}_")]
    if rows.empty:
        raise UserError(f"{model.name} has no block {block!r}: the layers begin with {', '.join(work['name'].head(4))}.")
    columns = ["name", "operator", "kernel", "output_shape", "dtype", "macs", "weight_bytes", "evidence"]
    return rows[columns].reset_index(drop=True)
