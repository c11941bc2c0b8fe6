"""Cache misses of one inference, and what the traffic behind L2 would cost if nothing hid it."""

import pandas as pd

from .core import LINE_BYTES, Core

LEVELS = ("L1", "L2", "L3")


def cache_table(blocks: pd.DataFrame, core: Core) -> pd.DataFrame:
    """`level, size_kib, ways, accesses, misses, hit_rate, bytes_in, evidence`; no rows when the log counted (no addresses).

    Each cache is true LRU with 64-byte lines, warm from the inference before, without prefetching; an access that
    misses one level goes to the next, and what misses L3 comes from memory. `bytes_in` is what came from the next level.
    """
    misses = [blocks[f"{level.lower()}_misses"].sum(min_count=1) for level in LEVELS]
    columns = ["level", "size_kib", "ways", "accesses", "misses", "hit_rate", "bytes_in", "evidence"]
    if pd.isna(misses[0]):
        return pd.DataFrame(columns=columns)
    accesses = [blocks[["loads", "stores"]].sum().sum(), *misses]
    rows = [
        {"level": level, "size_kib": size / 1024, "ways": ways, "accesses": int(asked), "misses": int(missed)}
        | {"hit_rate": 1 - missed / asked if asked else float("nan"), "bytes_in": int(missed) * LINE_BYTES}
        for level, (size, ways), asked, missed in zip(LEVELS, core.caches, accesses, misses, strict=False)
    ]
    return pd.DataFrame(rows).assign(evidence="simulated")[columns]


def memory_cycles(l2_misses, l3_misses, core: Core):
    """Cycles to bring the lines that miss L2 and L3, at the bandwidths of cores.yaml, one after the other."""
    return LINE_BYTES * (l2_misses / core.l3_bytes_per_cycle + l3_misses / core.memory_bytes_per_cycle)


def all_from_memory(workload: pd.DataFrame) -> float:
    """Lines of 64 bytes if every operator fetches its weights and activations from memory: where no misses were counted."""
    return float(workload[["weight_bytes", "activation_bytes"]].sum().sum()) / LINE_BYTES
