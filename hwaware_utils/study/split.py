"""A .tflite cut into smaller ones that run one after the other and give the same bits as the whole.

A cut goes through a place where exactly one activation is alive: that tensor is all that has to be handed on. Each
segment is a complete file with its own weights and a signature; a weight that two segments read stands in both.
"""

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from ai_edge_litert import schema_py_generated as schema

from ..base.errors import UserError
from ..tflite_file import constant_bytes, ids, read_model
from ..tflite_write import write_model
from ..workload import load_tensors, load_workload

SIGNATURE = b"serving_default"
FEATURES = b"features"  # the name of a tensor that one segment hands to the next


def cut_points(model: Path) -> pd.DataFrame:
    """The places where a .tflite can be cut: a row for each operator behind which only its own output is alive.

    Columns: index (of the operator; the cut is behind it), name, shape and bytes of the tensor that crosses,
    macs_before (of all operators up to it), evidence. UserError when the graph has several inputs or outputs.
    """
    _one_way(model)
    operators, tensors = load_workload(model), load_tensors(model)
    rows = []
    for k, operator in enumerate(operators.iloc[:-1].itertuples()):
        crossing = tensors[(tensors["first"] <= k) & (tensors["last"] > k)]
        if len(crossing) == 1 and crossing["tensor"].iloc[0] in operator.outputs:
            tensor, done = crossing.iloc[0], int(operators["macs"].iloc[: k + 1].sum())
            rows.append({"index": k, "name": tensor["name"], "shape": tensor["shape"], "bytes": tensor["bytes"],
                         "macs_before": done, "evidence": "modelled"})  # fmt: skip
    return pd.DataFrame(rows, columns=["index", "name", "shape", "bytes", "macs_before", "evidence"])


def split(model: Path, cuts: list[int]) -> list[bytes]:
    """The segments of a .tflite cut behind the operators `cuts` (see `cut_points`), in the order of execution.

    Signature inputs and outputs between segments are called `features`; the first input and the last output keep
    their names. UserError when a cut is no cut point, or when the cuts do not rise.
    """
    possible = set(cut_points(model)["index"])
    for cut in cuts:
        if cut not in possible:
            raise UserError(f"cut {cut}: more than one tensor is alive behind this operator; use one of {sorted(possible)}.")
    if any(a >= b for a, b in pairwise(cuts)):
        raise UserError(f"cuts {cuts}: give each cut point once, in rising order.")
    whole, operators, content = read_model(model), load_workload(model), Path(model).read_bytes()
    graph = whole.subgraphs[0]
    inner = [operators["outputs"].iloc[cut][0] for cut in cuts]
    first, last = _outer_names(whole)
    ends = [*inner, ids(graph.outputs)[0]]
    starts = [ids(graph.inputs)[0], *inner]
    names = [first, *[FEATURES] * len(cuts), last]
    return [_segment(whole, content, *tensors, *pair) for *tensors, pair in zip(starts, ends, pairwise(names), strict=True)]


def _one_way(model: Path) -> None:
    graph = read_model(model).subgraphs[0]
    counts = len(ids(graph.inputs)), len(ids(graph.outputs))
    if counts != (1, 1):
        raise UserError(f"{Path(model).name} has {counts[0]} inputs and {counts[1]} outputs: only one of each can be split.")


def _outer_names(whole) -> tuple[bytes, bytes]:
    signature = whole.signatureDefs[0] if whole.signatureDefs else None
    return (signature.inputs[0].name, signature.outputs[0].name) if signature else (b"input", b"output")


def _segment(whole, content: bytes, start: int, end: int, input_name: bytes, output_name: bytes) -> bytes:
    """The file of the operators that lead from tensor `start` to tensor `end`."""
    graph = whole.subgraphs[0]
    operators = _between(graph, start, end)
    wanted = sorted({start, end} | {t for op in operators for t in (*ids(op.inputs), *ids(op.outputs))})
    place = {tensor: number for number, tensor in enumerate(wanted)}
    buffers, buffer_of = [schema.BufferT()], {}  # buffer 0 is empty by convention: that of every activation
    tensors = [copy.copy(graph.tensors[t]) for t in wanted]
    for tensor in tensors:
        old = tensor.buffer
        if constant_bytes(whole, tensor) and old not in buffer_of:
            buffer_of[old] = len(buffers)
            buffers.append(_inlined(whole.buffers[old], content))
        tensor.buffer = buffer_of.get(old, 0)
    codes = sorted({op.opcodeIndex for op in operators})
    part = schema.SubGraphT()
    part.name, part.tensors = graph.name, tensors
    part.inputs, part.outputs = _indices([place[start]]), _indices([place[end]])
    part.operators = [_moved(op, place, codes) for op in operators]
    model = schema.ModelT()
    model.version, model.description = whole.version, whole.description
    model.operatorCodes = [whole.operatorCodes[code] for code in codes]
    model.subgraphs, model.buffers = [part], buffers
    model.signatureDefs = [_signature((input_name, place[start]), (output_name, place[end]))]
    return write_model(model)


def _between(graph, start: int, end: int) -> list:
    """The operators that `end` needs when `start` is given, in order: found by walking back from `end`."""
    needed, found = {end}, []
    for operator in reversed(graph.operators):
        if needed & set(ids(operator.outputs)):
            found.append(operator)
            needed |= set(ids(operator.inputs))
            needed -= {start}
    return found[::-1]


def _moved(operator, place: dict[int, int], codes: list[int]):
    moved = copy.copy(operator)
    moved.opcodeIndex = codes.index(operator.opcodeIndex)
    moved.inputs = _indices(place.get(int(t), -1) for t in operator.inputs)  # -1: an input left out
    moved.outputs = _indices(place[int(t)] for t in operator.outputs)
    moved.intermediates = moved.mutatingVariableInputs = None
    return moved


def _inlined(buffer, content: bytes):
    """The buffer with its data inside: ai-edge-quantizer appends the data behind the file and stores its offset."""
    inlined = schema.BufferT()
    data = content[buffer.offset : buffer.offset + buffer.size] if buffer.offset > 1 else bytes(bytearray(buffer.data))
    inlined.data = np.frombuffer(data, np.uint8)
    return inlined


def _signature(source: tuple[bytes, int], target: tuple[bytes, int]):
    def mapped(name: bytes, tensor: int):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, tensor
        return entry

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = [mapped(*source)], [mapped(*target)]
    return signature


def _indices(values) -> np.ndarray:
    return np.array(list(values), np.int32)
