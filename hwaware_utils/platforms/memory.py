"""How much RAM a model needs: the tensor arena, planned greedily by size as TFLite-Micro's GreedyMemoryPlanner does.

Counted: every activation, while it lives, on 16-byte boundaries. Not counted: scratch buffers of the kernels, the
interpreter's own tables and the stack (the vendor's figure for MobileNetV2 0.35 at 128 px is 27 KiB above the arena).
Flash is the size of the .tflite file; the runtime's code comes on top.
"""

import pandas as pd

from ..base.errors import UserError
from .specs import PlatformSpec, load_platform

ALIGNMENT_BYTES = 16


def align_bytes(size: int, alignment: int = ALIGNMENT_BYTES) -> int:
    """Round up to a multiple of `alignment`.

    >>> align_bytes(17), align_bytes(32)
    (32, 32)
    """
    return -(-int(size) // alignment) * alignment


def plan_arena(tensors: pd.DataFrame) -> pd.DataFrame:
    """Place every tensor of a tensor table (`workload.load_tensors`, `mobilenet_tensors`): adds `aligned_bytes, offset_bytes`.

    Largest first, each at the lowest offset where it overlaps no tensor that lives at the same time; ties in the order
    of first use. `first` and `last` are operator indices, both included. Tensors of no bytes take none.
    """
    placed: list[tuple[int, int, int, int]] = []  # offset, size, first, last
    offsets: dict[int, int] = {}
    rows = list(zip(tensors.index, tensors["bytes"].map(align_bytes), tensors["first"], tensors["last"], strict=True))
    for label, size, first, last in sorted(rows, key=lambda row: (-row[1], row[2])):
        offset = 0
        for start, length, begin, end in sorted(placed):
            if end < first or last < begin:
                continue
            if start - offset >= size:
                break
            offset = max(offset, start + length)
        offsets[label] = offset
        placed.append((offset, size, first, last))
    aligned = tensors["bytes"].map(align_bytes)
    return tensors.assign(aligned_bytes=aligned, offset_bytes=pd.Series(offsets, dtype="int64"))


def arena_bytes(tensors: pd.DataFrame) -> int:
    """Peak of the planned arena in bytes, from a tensor table."""
    plan = plan_arena(tensors)
    return int((plan["offset_bytes"] + plan["aligned_bytes"]).max()) if len(plan) else 0


def live_bytes(tensors: pd.DataFrame) -> pd.DataFrame:
    """Bytes alive while each operator runs: `index, live_bytes, evidence`. Its maximum is a lower bound of any arena."""
    last = int(tensors["last"].max()) if len(tensors) else -1
    aligned = tensors["bytes"].map(align_bytes)
    alive = [int(aligned[(tensors["first"] <= k) & (k <= tensors["last"])].sum()) for k in range(last + 1)]
    return pd.DataFrame({"index": range(last + 1), "live_bytes": alive, "evidence": "modelled"})


def estimate_memory(tensors: pd.DataFrame) -> dict:
    """`arena_bytes`, its lower bound `live_bytes_max`, the operator `peak_index` where that is reached, and `evidence`."""
    alive = live_bytes(tensors)
    peak = int(alive["live_bytes"].idxmax()) if len(alive) else 0
    lower = int(alive["live_bytes"].max()) if len(alive) else 0
    return {"arena_bytes": arena_bytes(tensors), "live_bytes_max": lower, "peak_index": peak, "evidence": "modelled"}


def fits(platform: str | PlatformSpec, ram_bytes: int, flash_bytes: int) -> tuple[bool, str]:
    """Whether a model's arena and file fit the device, and if not a sentence that says by how much ('' if it fits).

    >>> fits("arm_cortex_m7", 600 * 1024, 100_000)
    (False, 'RAM 600 KiB exceeds the 512 KiB of arm_cortex_m7 by 88 KiB (17 %)')
    """
    spec = load_platform(platform) if isinstance(platform, str) else platform
    broken = []
    for name, need, limit in (("RAM", ram_bytes, "ram_kib"), ("flash", flash_bytes, "flash_kib")):
        if not need >= 0:
            raise UserError(f"{name} need {need!r} is no size: give a number of bytes of 0 or more.")
        kib, most = need / 1024, spec.value(limit)
        if kib > most:
            over = kib - most
            broken.append(f"{name} {kib:.4g} KiB exceeds the {most:.4g} KiB of {spec.id} by {over:.3g} KiB ({over / most:.0%})")
    return not broken, "; ".join(broken).replace("%)", " %)")
