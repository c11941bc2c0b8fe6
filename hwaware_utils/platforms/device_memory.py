"""RAM and flash that a network takes on a device: planned tensors and stored weights, and what the runtime adds.

    RAM   = arena + scratch + second pool + runtime            (+ weights where they are loaded, on application cores)
    flash = weights + code                                     (the .tflite file + code where the runtime interprets it)

Arena: `arena.plan_arena` with what the runtime does in place. Scratch: the buffer that a kernel works in lives while it
runs and is planned with the tensors. STM32Cube.AI 7.3 and 10 overwrite in depthwise convolutions, additions and pointwise
convolutions that at most double the channels (MobileNetV1's), not in expansions by 6: the assumption, of those tried, that
explains every published figure; 7.3 also does in the first convolution. What no longer fits the internal RAM is split
over two pools by version 10. A tensor cannot be overwritten from the other pool, so nothing is done in place, and each
pool's peak counts: 11 % more, fitted. Runtime: a constant and descriptors of each operator.

Weights are exact to 10 bytes for all 11 published rows: int8 weights and int32 biases. The generated code grows with the
operators and holds 5 bytes a channel (scale and zero point). Held-out errors: `memory_validation.memory_validation`.
"""

import pandas as pd

from .arena import arena_bytes, live_bytes, operator_kind
from .memory_runtimes import MemoryRuntime, find_memory_runtime
from .specs import PlatformSpec, load_platform

PER_CHANNEL = ("CONV_2D", "DEPTHWISE_CONV_2D")  # a dense layer has one scale
# A .tflite file without its weights, from the files under results/reference: scales and zero points of the channels,
# tables and names of an operator. Within 1 % of those files.
FILE_BYTES_PER_CHANNEL, FILE_BYTES_PER_OPERATOR = 10, 500


def estimate_device_memory(
    operators: pd.DataFrame,
    tensors: pd.DataFrame,
    platform: str | PlatformSpec,
    precision: str = "int8",
    file_bytes: int | None = None,
) -> dict:
    """RAM and flash of a network (`workload.load_workload`/`load_tensors` or `mobilenet_workload`/`_tensors`).

    Returns ram_kib, flash_kib with `_low` and `_high` (90 % interval), their parts arena_kib, scratch_kib,
    second_pool_kib, runtime_ram_kib, weights_kib, code_kib, `peak_index` (the operator where most is alive), evidence.
    `file_bytes` is the size of the .tflite file, estimated where it is None and the runtime stores the file.
    UserError for a platform whose `memory_runtime` is none of params/models/memory.yaml.
    """
    spec = load_platform(platform) if isinstance(platform, str) else platform
    runtime = find_memory_runtime(spec)
    parts = memory_parts(operators, tensors, runtime, precision)
    value, n = runtime.value, parts["operators"]
    runtime_kib = value("ram_constant_kib") + value("ram_per_operator_kib") * n
    loaded_kib = value("weight_copies") * parts["weights_kib"]
    one_pool = parts["arena_kib"] + parts["scratch_kib"] + runtime_kib + loaded_kib
    split = value("second_pool_share") > 0 and one_pool > spec.value("ram_kib")
    arena_kib, scratch_kib = (parts["apart_kib"], 0.0) if split else (parts["arena_kib"], parts["scratch_kib"])
    second_kib = value("second_pool_share") * arena_kib if split else 0.0
    ram_kib = arena_kib + scratch_kib + second_kib + runtime_kib + loaded_kib
    code_kib = value("code_constant_kib") + value("code_per_operator_kib") * n
    code_kib += value("code_per_channel_bytes") * parts["channels_scaled"] / 1024
    stored_kib = parts["weights_kib"]
    if runtime.file_in_flash:
        about = stored_kib + (FILE_BYTES_PER_CHANNEL * parts["channels_scaled"] + FILE_BYTES_PER_OPERATOR * n) / 1024
        stored_kib = about if file_bytes is None else file_bytes / 1024
    flash_kib = stored_kib + code_kib
    exact = runtime.file_in_flash and file_bytes is not None and not code_kib
    ram, flash = 1 + value("ram_spread"), 1 if exact else 1 + value("flash_spread")
    return {
        "ram_kib": ram_kib, "ram_kib_low": ram_kib / ram, "ram_kib_high": ram_kib * ram,
        "flash_kib": flash_kib, "flash_kib_low": flash_kib / flash, "flash_kib_high": flash_kib * flash,
        "arena_kib": arena_kib, "scratch_kib": scratch_kib, "second_pool_kib": second_kib, "runtime_ram_kib": runtime_kib,
        "weights_kib": parts["weights_kib"], "code_kib": code_kib, "peak_index": parts["peak_index"], "evidence": "modelled",
    }  # fmt: skip


def memory_parts(operators: pd.DataFrame, tensors: pd.DataFrame, runtime: MemoryRuntime, precision: str = "int8") -> dict:
    """What no constant is fitted for: arena_kib and scratch_kib (in place as the runtime does), apart_kib (the arena with
    its scratch when nothing is done in place), weights_kib, channels (with a scale of their own), operators, peak_index."""
    scratch = scratch_tensors(operators, runtime)
    both = pd.concat([tensors, scratch], ignore_index=True) if len(scratch) else tensors
    bare = arena_bytes(tensors, operators, runtime.in_place)
    whole = max(arena_bytes(both, operators, runtime.in_place), bare) if len(scratch) else bare
    apart = arena_bytes(both) if runtime.value("second_pool_share") else whole
    alive = live_bytes(both, operators, runtime.in_place)["live_bytes"]
    scaled = operators[operators["operator"].isin(PER_CHANNEL)]
    channels = sum(shape[-1] for shape in scaled["output_shape"]) if precision.startswith(("int8", "mixed")) else 0
    return {
        "arena_kib": bare / 1024, "scratch_kib": (whole - bare) / 1024, "apart_kib": apart / 1024,
        "weights_kib": float(operators["weight_bytes"].sum()) / 1024, "channels_scaled": channels, "operators": len(operators),
        "peak_index": int(alive.idxmax()) if len(alive) else 0,
    }  # fmt: skip


def scratch_tensors(operators: pd.DataFrame, runtime: MemoryRuntime) -> pd.DataFrame:
    """The kernels' buffers as tensors that live for one operator: `tensor` (negative), bytes, first, last, evidence.

    STM32Cube.AI: 4 bytes an input channel + 10 an output channel for a pointwise, 37 a channel for a depthwise
    convolution, as its generated C code (version 8.1) declares them.
    """
    rows = []
    for k, row in enumerate(operators.itertuples()):
        per_input, per_output = runtime.scratch_bytes.get(operator_kind(row.operator, row.kernel), (0, 0))
        size = int(per_input * row.input_shape[-1] + per_output * row.output_shape[-1]) if per_input or per_output else 0
        if size:
            rows.append({"tensor": -2 - k, "bytes": size, "first": k, "last": k, "evidence": "modelled"})
    return pd.DataFrame(rows, columns=["tensor", "bytes", "first", "last", "evidence"])
