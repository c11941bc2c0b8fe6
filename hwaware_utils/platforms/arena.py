"""The tensor arena: where each activation lies while it lives, planned greedily by size as TFLite-Micro's planner does.

An operator works in place when its output may take the place of an input that nobody reads afterwards: an addition
writes each sum over a summand, a depthwise convolution keeps a few lines in a buffer and overwrites what it has read,
a pointwise convolution does so pixel by pixel. TFLite-Micro never does, STM32Cube.AI and TinyEngine do.
"""

from collections.abc import Mapping

import pandas as pd

ALIGNMENT_BYTES = 16  # TFLite-Micro's MicroArenaBufferAlignment
NOT_IN_PLACE = -1


def align_bytes(size: int, alignment: int = ALIGNMENT_BYTES) -> int:
    """Round up to a multiple of `alignment`.

    >>> align_bytes(17), align_bytes(32)
    (32, 32)
    """
    return -(-int(size) // alignment) * alignment


def operator_kind(operator: str, kernel: tuple) -> str:
    """The operator's name, but POINTWISE for a 1x1 convolution: that one can work in place.

    >>> operator_kind("CONV_2D", (1, 1)), operator_kind("CONV_2D", (3, 3))
    ('POINTWISE', 'CONV_2D')
    """
    return "POINTWISE" if operator == "CONV_2D" and tuple(kernel) == (1, 1) else operator


def find_in_place(tensors: pd.DataFrame, operators: pd.DataFrame, growth: Mapping[str, float]) -> pd.Series:
    """For each row of `tensors` the tensor whose place it takes, or NOT_IN_PLACE.

    `growth` maps a kind of operator (`operator_kind`) to how many times larger than its input an output may be that is
    still written over it; a kind that is missing never works in place. The input must live no longer than its reader.
    """
    known = {row.tensor: row for row in tensors[["tensor", "bytes", "last"]].itertuples()}
    taken = dict.fromkeys(known, NOT_IN_PLACE)
    for k, row in enumerate(operators[["operator", "kernel", "inputs", "outputs"]].itertuples()):
        limit = growth.get(operator_kind(row.operator, row.kernel), 0)
        outputs = [known[t] for t in row.outputs if t in known]
        dying = [known[t] for t in row.inputs if t in known and known[t].last == k]
        if limit and len(outputs) == 1 and dying and outputs[0].bytes <= limit * dying[0].bytes:
            taken[outputs[0].tensor] = dying[0].tensor
    return tensors["tensor"].map(taken).astype("int64")


def plan_arena(
    tensors: pd.DataFrame,
    operators: pd.DataFrame | None = None,
    in_place: Mapping[str, float] | None = None,
    alignment: int = ALIGNMENT_BYTES,
) -> pd.DataFrame:
    """Place every tensor of a tensor table (`workload.load_tensors`, `mobilenet_tensors`).

    Adds `aligned_bytes, offset_bytes, in_place` (the tensor whose place it takes, -1 for none). Largest first, each at the
    lowest offset where it overlaps no tensor that lives at the same time; ties in the order of first use. `first` and
    `last` are operator indices, both included. With `operators` and `in_place` (see `find_in_place`) tensors that follow
    each other in place share one offset and are placed together, each taking its own size while it lives. That binding
    costs freedom: the smallest plan is kept of all operators in place, only those that would raise the peak, and none.
    """
    none = pd.Series(NOT_IN_PLACE, tensors.index, dtype="int64")
    if not in_place or operators is None:
        return _place(tensors, none, alignment)
    every = find_in_place(tensors, operators, in_place)
    least = max(_alive(tensors, every), default=0)
    raising = {k for k, count in enumerate(_alive(tensors, none)) if count > least}
    needed = every.where(tensors["first"].isin(raising), none)
    return min((_place(tensors, taken, alignment) for taken in (every, needed, none)), key=_top)


def _place(tensors: pd.DataFrame, taken: pd.Series, alignment: int) -> pd.DataFrame:
    aligned = [align_bytes(size, alignment) for size in tensors["bytes"].tolist()]
    position = {tensor: k for k, tensor in enumerate(tensors["tensor"])} if taken.ge(0).any() else {}
    sources = [position[source] if source != NOT_IN_PLACE else None for source in taken.tolist()]
    chains: dict[int, list[int]] = {}  # row of the first tensor in a place -> rows of all that follow it there
    for k in range(len(sources)):
        head = k
        while sources[head] is not None:
            head = sources[head]
        chains.setdefault(head, []).append(k)
    rows = list(zip(aligned, tensors["first"].tolist(), tensors["last"].tolist(), strict=True))
    order = sorted(chains, key=lambda head: (-max(rows[k][0] for k in chains[head]), rows[head][1]))
    placed: list[tuple[int, int, int, int]] = []  # offset, size, first, last
    offsets: dict[int, int] = {}
    for head in order:
        members = [rows[k] for k in chains[head]]
        offset = _lowest_free(members, placed)
        for k in chains[head]:
            offsets[k] = offset
            placed.append((offset, *rows[k]))
    values = [offsets[k] for k in range(len(tensors))]
    return tensors.assign(aligned_bytes=aligned, offset_bytes=pd.Series(values, tensors.index, dtype="int64"), in_place=taken)


def _lowest_free(members: list, placed: list) -> int:
    """The lowest offset where no member (size, first, last) meets a placed tensor that lives at the same time."""
    blocked = [
        (offset - size, offset + length)  # between these two, both excluded, the member would overlap
        for size, first, last in members
        for offset, length, begin, end in placed
        if begin <= last and first <= end
    ]
    lowest = 0
    for low, high in sorted(blocked):
        if low >= lowest:
            break
        lowest = max(lowest, high)
    return lowest


def arena_bytes(
    tensors: pd.DataFrame,
    operators: pd.DataFrame | None = None,
    in_place: Mapping[str, float] | None = None,
    alignment: int = ALIGNMENT_BYTES,
) -> int:
    """Peak of the planned arena in bytes; arguments as in `plan_arena`."""
    return _top(plan_arena(tensors, operators, in_place, alignment))


def _top(plan: pd.DataFrame) -> int:
    return int((plan["offset_bytes"] + plan["aligned_bytes"]).max()) if len(plan) else 0


def live_bytes(
    tensors: pd.DataFrame, operators: pd.DataFrame | None = None, in_place: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Bytes alive while each operator runs: `index, live_bytes, evidence`. Its maximum is a lower bound of any arena.

    While an operator works in place, input and output count once, as the larger of the two.
    """
    taken = pd.Series(NOT_IN_PLACE, tensors.index, dtype="int64")
    if in_place and operators is not None:
        taken = find_in_place(tensors, operators, in_place)
    alive = _alive(tensors, taken)
    return pd.DataFrame({"index": range(len(alive)), "live_bytes": alive, "evidence": "modelled"})


def _alive(tensors: pd.DataFrame, taken: pd.Series) -> list[int]:
    aligned = [align_bytes(size) for size in tensors["bytes"].tolist()]
    alive = [0] * (int(tensors["last"].max()) + 1 if len(tensors) else 0)
    sizes = dict(zip(tensors["tensor"], aligned, strict=True)) if taken.ge(0).any() else {}
    lives = (tensors["first"].tolist(), tensors["last"].tolist(), taken.tolist())
    for size, first, last, source in zip(aligned, *lives, strict=True):
        for k in range(first, last + 1):
            alive[k] += size
        if source != NOT_IN_PLACE:
            alive[first] -= min(size, sizes[source])
    return alive


def memory_timeline(
    operators: pd.DataFrame, tensors: pd.DataFrame, in_place: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """What fills the arena while each operator runs, a row for each of its parts.

    Columns: index, name, operator, kind (`input` and `output` of this operator, `held` for a later one), part_bytes (an
    output written over an input counts only where it is larger), live_bytes (the sum), in_place (whether this operator
    works in place), evidence. `in_place` as in `find_in_place`; without it no operator does.
    """
    taken = find_in_place(tensors, operators, in_place or {})
    source = dict(zip(tensors["tensor"], taken, strict=True))
    rows = []
    for k, row in enumerate(operators.itertuples()):
        alive = tensors[(tensors["first"] <= k) & (k <= tensors["last"])]
        parts = dict.fromkeys(("held", "input", "output"), 0)
        size = dict(zip(alive["tensor"], alive["bytes"].map(align_bytes), strict=True))
        over = [t for t in row.outputs if source.get(t, NOT_IN_PLACE) in row.inputs]
        for tensor, count in size.items():
            kind = "output" if tensor in row.outputs else "input" if tensor in row.inputs else "held"
            parts[kind] += max(count - size[source[tensor]], 0) if tensor in over else count
        rows += [
            {"index": k, "name": row.name, "operator": row.operator, "kind": kind, "part_bytes": count}
            | {"live_bytes": sum(parts.values()), "in_place": bool(over), "evidence": "modelled"}
            for kind, count in parts.items()
        ]
    columns = ["index", "name", "operator", "kind", "part_bytes", "live_bytes", "in_place", "evidence"]
    return pd.DataFrame(rows, columns=columns)
