"""How long each operator takes inside LiteRT on this host: its own profiler, which its Python package does not expose.

The C interface of libLiteRt.so (it comes inside the wheel) has one; XNNPACK then times every kernel that it runs.
"""

import contextlib
import ctypes
import functools
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from pathlib import Path

import ai_edge_litert
import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import quiet
from ..study.benchmark import pinned
from ..tflite_file import read_model
from ..workload import load_workload

CPU = 1
INTERPRETER, DELEGATE = 2, 8  # kinds of events that are kernels
# A delegate cuts each duration down to whole microseconds: on average half of one is lost. The interpreter subtracts two
# readings of its clock, which is right on average.
LOST_US = {INTERPRETER: 0.0, DELEGATE: 0.5}
HALF_TICK_US = 0.5
MAC_KERNELS = r"\bConvolution\b|Fully Connected"  # and not `Convert`, which changes types


class _Event(ctypes.Structure):
    """`ProfiledEventData` of LiteRT 2.3 (litert/c/litert_profiler_event.h)."""

    _fields_ = (
        ("tag", c_char_p), ("kind", c_int), ("start_us", c_uint64), ("elapsed_us", c_uint64),
        ("memory", c_size_t * 6), ("node", c_uint64), ("subgraph", c_uint64), ("source", c_int),
    )  # fmt: skip


def profile_operators(model: Path, n_runs: int = 200, warm_up_runs: int = 20) -> pd.DataFrame:
    """One row per kernel that LiteRT runs for the `.tflite` file `model` on one core, in the order of execution.

    Columns: index, kernel (XNNPACK's name), operator, name and macs (of the workload's layer; kernels without MACs have
    none), latency_ms (mean over the quieter half of the runs, what the profiler cuts off given back), latency_ms_low and
    _high (half a microsecond either way: its clock ticks in whole ones), share (of the sum), gmacs_per_s, evidence.
    UserError for a missing or damaged file or one that LiteRT cannot run.
    """
    if n_runs < 1:
        raise UserError(f"n_runs = {n_runs}: give 1 or more.")
    model = Path(model)
    read_model(model)
    with quiet(), pinned(1), contextlib.ExitStack() as stack:
        profiler, run = _open(model, stack)
        for _ in range(warm_up_runs):
            run()
        runs = [_events_of(profiler, run) for _ in range(n_runs)]
    kernels, elapsed_us = [tag for tag, _ in runs[0]], np.array([[us for _, us in events] for events in runs])
    totals = elapsed_us.sum(axis=1)
    quieter = elapsed_us[totals <= np.median(totals)]
    mean_us = quieter.mean(axis=0)
    table = pd.DataFrame({"index": range(len(kernels)), "kernel": kernels, "latency_ms": mean_us / 1e3})
    table["latency_ms_low"] = np.maximum(mean_us - HALF_TICK_US, 0) / 1e3
    table["latency_ms_high"] = (mean_us + HALF_TICK_US) / 1e3
    table = _with_layers(table, model)
    table["share"] = table["latency_ms"] / table["latency_ms"].sum()
    table["gmacs_per_s"] = table["macs"] / table["latency_ms"].where(table["latency_ms"] > 0) / 1e6
    columns = ["index", "kernel", "operator", "name", "macs", "latency_ms", "latency_ms_low", "latency_ms_high", "share"]
    columns.append("gmacs_per_s")
    return table[columns].assign(evidence="measured")


def _with_layers(table: pd.DataFrame, model: Path) -> pd.DataFrame:
    """Adds operator, name and macs: the k-th kernel with MACs is the k-th layer with MACs."""
    work = load_workload(model)
    layers = work.loc[work["macs"] > 0, ["operator", "name", "macs"]]
    places = table.index[table["kernel"].str.contains(MAC_KERNELS)]
    if len(places) != len(layers):
        raise UserError(f"LiteRT runs {len(places)} kernels for the {len(layers)} layers of {model}: they cannot be paired.")
    return table.join(layers.set_index(places))


def _call(function: str, *arguments) -> None:
    status = getattr(_library(), function)(*arguments)
    if status:
        raise UserError(f"LiteRT cannot run the model ({function} returned status {status}).")


def _new(function: str, *arguments) -> c_void_p:
    handle = c_void_p()
    _call(function, *arguments, byref(handle))
    return handle


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / "libLiteRt.so"))


def _open(model: Path, stack: contextlib.ExitStack):
    """The profiler of a compiled model and a function that runs it once; `stack` releases both."""

    def owned(kind: str, handle: c_void_p) -> c_void_p:
        stack.callback(getattr(_library(), f"LiteRtDestroy{kind}"), handle)
        return handle

    content = model.read_bytes()
    payload = ctypes.create_string_buffer(b"enable_profiling = true\n")
    keep = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)  # LiteRT wants to free the payload, which is ours
    stack.callback(lambda *_: None, content, payload, keep)  # they must outlive the model
    environment = owned("Environment", _new("LiteRtCreateEnvironment", 0, None))
    loaded = owned("Model", _new("LiteRtCreateModelFromBuffer", environment, content, c_size_t(len(content))))
    options = owned("Options", _new("LiteRtCreateOptions"))
    _call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
    opaque = _new("LiteRtCreateOpaqueOptions", b"runtime_options_string", payload, keep)
    _call("LiteRtAddOpaqueOptions", options, opaque)
    compiled = owned("CompiledModel", _new("LiteRtCreateCompiledModel", environment, loaded, options))
    signature = _new("LiteRtGetModelSignature", loaded, c_size_t(0))
    buffers = []
    for side in ("Input", "Output"):
        tensor_type = (ctypes.c_byte * 128)()  # LiteRtRankedTensorType: passed on, never looked at
        tensor = _new(f"LiteRtGetSignature{side}TensorByIndex", signature, c_size_t(0))
        _call("LiteRtGetRankedTensorType", tensor, tensor_type)
        needs = _new(f"LiteRtGetCompiledModel{side}BufferRequirements", compiled, c_size_t(0), c_size_t(0))
        made = _new("LiteRtCreateManagedTensorBufferFromRequirements", environment, tensor_type, needs)
        buffers += [c_size_t(1), (c_void_p * 1)(owned("TensorBuffer", made))]
    profiler = _new("LiteRtCompiledModelGetProfiler", compiled)
    return profiler, lambda: _call("LiteRtRunCompiledModel", compiled, c_size_t(0), *buffers)


def _events_of(profiler: c_void_p, run) -> list[tuple[str, float]]:
    """Kernel names and microseconds of one run, with what was cut off (LOST_US)."""
    _call("LiteRtResetProfiler", profiler)
    _call("LiteRtStartProfiler", profiler)
    run()
    _call("LiteRtStopProfiler", profiler)
    count = c_int()
    _call("LiteRtGetNumProfilerEvents", profiler, byref(count))
    events = (_Event * count.value)()
    _call("LiteRtGetProfilerEvents", profiler, count, ctypes.cast(events, POINTER(_Event)))
    kernels = (event for event in events if event.kind in LOST_US)
    return [(event.tag.decode(), event.elapsed_us + LOST_US[event.kind]) for event in kernels]
