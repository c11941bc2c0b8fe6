"""Memory of a network on a device, in one place: the arena (`arena`), RAM and flash (`device_memory`), `fits`."""

import pandas as pd

from .arena import align_bytes, arena_bytes, live_bytes, memory_timeline, plan_arena
from .device_memory import estimate_device_memory
from .fits import fits
from .memory_validation import compare_in_place, memory_summary, memory_validation

__all__ = [
    "align_bytes",
    "arena_bytes",
    "compare_in_place",
    "estimate_device_memory",
    "estimate_memory",
    "fits",
    "live_bytes",
    "memory_summary",
    "memory_timeline",
    "memory_validation",
    "plan_arena",
]


def estimate_memory(tensors: pd.DataFrame) -> dict:
    """The arena as TFLite-Micro plans it, nothing in place: `arena_bytes`, its lower bound `live_bytes_max`, the operator
    `peak_index` where that is reached, and `evidence`."""
    alive = live_bytes(tensors)
    peak = int(alive["live_bytes"].idxmax()) if len(alive) else 0
    lower = int(alive["live_bytes"].max()) if len(alive) else 0
    return {"arena_bytes": arena_bytes(tensors), "live_bytes_max": lower, "peak_index": peak, "evidence": "modelled"}
