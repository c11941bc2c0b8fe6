"""A `.tflite` model as work: one table, a row per operator, and one table of the tensors between them.

Definitions. A MAC is one multiply and one add of a convolution or fully connected layer; biases, activations,
additions and data movement count 0 (`elementwise_ops` counts the outputs of the latter's arithmetic). Batch size
is 1: a dynamic first dimension counts as 1. Bytes are those of the tensors, each read or written once.
"""

from pathlib import Path

import pandas as pd

from .tflite_file import DAMAGE, DTYPES, OPERATORS, constant_bytes, damaged, ids, read_model, shape_of, tensor_bytes

# Operators that read and write without multiplying; everything else outside MAC_OPERATORS is flagged `known = False`.
_MOVEMENT_NAMES = (
    "RESHAPE PAD PADV2 CONCATENATION SPLIT SLICE STRIDED_SLICE TRANSPOSE SQUEEZE EXPAND_DIMS PACK UNPACK "
    "GATHER CAST SHAPE SPACE_TO_DEPTH DEPTH_TO_SPACE SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND "
    "RESIZE_NEAREST_NEIGHBOR"
)
MOVEMENT = frozenset(_MOVEMENT_NAMES.split())
_ELEMENTWISE_NAMES = (
    "ADD SUB MUL DIV MEAN SUM MAXIMUM MINIMUM RELU RELU6 LOGISTIC TANH HARD_SWISH LEAKY_RELU PRELU SOFTMAX "
    "RSQRT EXP QUANTIZE DEQUANTIZE AVERAGE_POOL_2D MAX_POOL_2D RESIZE_BILINEAR SQUARED_DIFFERENCE ARG_MAX"
)
ELEMENTWISE = frozenset(_ELEMENTWISE_NAMES.split())
MAC_OPERATORS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


def count_macs(operator: str, output_shape: tuple, weight_shape: tuple) -> int:
    """MACs of one operator, exact. Shapes as TFLite stores them: NHWC outputs, weights OHWI, 1HWC or OI.

    >>> count_macs("CONV_2D", (1, 2, 2, 4), (4, 3, 3, 3))  # 2 x 2 places, 4 filters, 27 products each
    432
    """
    outputs = _product(output_shape)
    if operator == "CONV_2D":
        return outputs * _product(weight_shape[1:])
    if operator == "DEPTHWISE_CONV_2D":
        return outputs * weight_shape[1] * weight_shape[2]
    return outputs * weight_shape[-1] if operator == "FULLY_CONNECTED" else 0


def load_workload(path) -> pd.DataFrame:
    """One row per operator of the main graph of the `.tflite` file `path`, in the order of execution.

    Columns: index, operator, name, input_shape, output_shape, kernel (h, w), macs, elementwise_ops, weight_bytes,
    input_bytes, output_bytes, activation_bytes (input + output), dtype (of the output), weight_dtype, weights
    (parameters, biases included), known (False: counted as data movement), inputs, outputs (tensor ids of the
    activations), evidence. Raises UserError naming the file if it is missing, no `.tflite`, cut off or corrupt.
    """
    model = read_model(path)
    graph = model.subgraphs[0]
    try:
        rows = [_row(model, graph, k, op) for k, op in enumerate(graph.operators or ())]
    except DAMAGE as error:
        raise damaged(path, error) from error
    return pd.DataFrame(rows, columns=COLUMNS)


def load_tensors(path) -> pd.DataFrame:
    """Activations of the `.tflite` file and when they live: `tensor, name, shape, dtype, bytes, first, last, evidence`.

    `first` and `last` are operator indices, both included; graph inputs live from 0, outputs to the last operator.
    """
    model = read_model(path)
    graph = model.subgraphs[0]
    names = {t: _text(graph.tensors[t].name) for t in range(len(graph.tensors))}
    shapes = {t: _described(graph, t) for t in names}
    return lifetimes(load_workload(path), shapes, ids(graph.inputs), ids(graph.outputs), names)


def lifetimes(operators: pd.DataFrame, shapes: dict, inputs: list, outputs: list, names: dict | None = None) -> pd.DataFrame:
    """Tensor table of a graph from its operators' tensor ids; `shapes` maps an id to (shape, dtype)."""
    last_operator = max(len(operators) - 1, 0)
    span = {t: [0, 0] for t in inputs}
    for k, row in enumerate(operators.itertuples()):
        for tensor in (*row.inputs, *row.outputs):
            span.setdefault(tensor, [k, k])[1] = k
    for tensor in outputs:
        span.setdefault(tensor, [last_operator, last_operator])[1] = last_operator
    rows = [
        {"tensor": t, "name": (names or {}).get(t, str(t)), "shape": shapes[t][0], "dtype": shapes[t][1]}
        | {"bytes": tensor_bytes(*shapes[t]), "first": first, "last": last, "evidence": "modelled"}
        for t, (first, last) in span.items()
    ]
    return pd.DataFrame(rows, columns=["tensor", "name", "shape", "dtype", "bytes", "first", "last", "evidence"])


def summary(table: pd.DataFrame) -> dict:
    """Totals of a workload: operators, unknown_operators, parameters, macs, elementwise_ops, weight_bytes,
    activation_bytes (traffic), peak_operator_bytes (largest input + output: a lower bound of the arena), evidence."""
    totals = table[["macs", "elementwise_ops", "weight_bytes", "activation_bytes"]].sum()
    return {
        "operators": len(table),
        "unknown_operators": int((~table["known"].astype(bool)).sum()),
        "parameters": int(table["weights"].sum()),
        **{name: int(value) for name, value in totals.items()},
        "peak_operator_bytes": int(table["activation_bytes"].max()) if len(table) else 0,
        "evidence": "modelled",
    }


def size_bytes(path) -> int:
    """Size of the model file: what it takes of the flash, before the runtime's own code."""
    read_model(path)
    return Path(path).stat().st_size


_COLUMN_NAMES = (
    "index operator name input_shape output_shape kernel macs elementwise_ops weight_bytes input_bytes "
    "output_bytes activation_bytes dtype weight_dtype weights known inputs outputs evidence"
)
COLUMNS = _COLUMN_NAMES.split()


def make_row(index, operator, name, inputs, outputs, weights, kernel_shape=(), ins=(), outs=()) -> dict:
    """One row of a workload. `inputs`, `outputs`, `weights` are lists of (shape, dtype); `ins`, `outs` tensor ids."""
    input_bytes = sum(tensor_bytes(*t) for t in inputs)
    output_bytes = sum(tensor_bytes(*t) for t in outputs)
    output_shape, dtype = outputs[0] if outputs else ((), "")
    return {
        "index": index,
        "operator": operator,
        "name": name,
        "input_shape": inputs[0][0] if inputs else (),
        "output_shape": output_shape,
        "kernel": tuple(kernel_shape[1:3]) if len(kernel_shape) == 4 else (1, 1),
        "macs": count_macs(operator, output_shape, kernel_shape) if kernel_shape else 0,
        "elementwise_ops": _product(output_shape) if operator in ELEMENTWISE and ins else 0,
        "weight_bytes": sum(tensor_bytes(*t) for t in weights),
        "input_bytes": input_bytes,
        "output_bytes": output_bytes,
        "activation_bytes": input_bytes + output_bytes,
        "dtype": dtype.lower(),
        "weight_dtype": weights[0][1].lower() if weights else "",
        "weights": sum(_product(shape) for shape, _ in weights) if operator in MAC_OPERATORS else 0,
        "known": operator in MOVEMENT | ELEMENTWISE | MAC_OPERATORS,
        "inputs": tuple(ins),
        "outputs": tuple(outs),
        "evidence": "modelled",
    }


def _row(model, graph, index: int, operator) -> dict:
    name, stored, outputs = _operator_name(model, operator), _stored(model, graph), ids(operator.outputs)
    inputs = ids(operator.inputs)
    label = _text(graph.tensors[outputs[0]].name) if outputs else ""
    if outputs and outputs[0] in stored:  # float16 weights, widened once at load: part of no inference
        return make_row(index, name, label, [], [], [])
    moving = [t for t in dict.fromkeys(inputs) if t not in stored]
    kernel_shape = shape_of(graph.tensors[inputs[1]]) if name in MAC_OPERATORS and len(inputs) > 1 else ()
    weights = [_described(graph, stored[t]) for t in inputs if t in stored]
    shapes = [[_described(graph, t) for t in group] for group in (moving, outputs)]
    if name in MAC_OPERATORS and not all(group and group[0][0] for group in shapes):
        raise ValueError(f"operator {index} ({name}) has an input or an output without a shape")
    return make_row(index, name, label, *shapes, weights, kernel_shape, moving, outputs)


def _operator_name(model, operator) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode is not None:
        return f"CUSTOM:{_text(code.customCode)}"
    # Codes above 127 stand in the newer field only; old files fill the deprecated one only.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return OPERATORS.get(number, f"BUILTIN_{number}")


def _stored(model, graph) -> dict[int, int]:
    """Tensor -> the constant in the file that it is: itself, or the float16 constant that a DEQUANTIZE widens."""
    stored = {t: t for t, tensor in enumerate(graph.tensors) if constant_bytes(model, tensor)}
    for operator in graph.operators or ():
        if _operator_name(model, operator) == "DEQUANTIZE" and int(operator.inputs[0]) in stored:
            stored[int(operator.outputs[0])] = int(operator.inputs[0])
    return stored


def _described(graph, tensor: int) -> tuple:
    return shape_of(graph.tensors[tensor]), DTYPES[graph.tensors[tensor].type]


def _product(shape) -> int:
    result = 1
    for size in shape:
        result *= int(size)
    return result


def _text(value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
