"""Executed code blocks of a guest, from the plugin's dump or from QEMU's log, and the guest's memory map.

A table of blocks has one row per translated block: `address, executed` (times), `loads, stores, load_bytes,
store_bytes, l1_misses, l2_misses, l3_misses` (totals; NaN from a log) and `words` (the instructions, tuple of int).
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ...base.errors import UserError
from .inside import MARK

CODE = "/ai_edge_litert/"  # part of the path of every library that LiteRT's wheel brings
MEMORY = ["loads", "stores", "load_bytes", "store_bytes", "l1_misses", "l2_misses", "l3_misses"]
COLUMNS = ["address", "executed", *MEMORY, "words"]


class Mapping(NamedTuple):
    """One executable mapping of a file."""

    start: int
    end: int
    offset: int
    path: str


def read_maps(path: Path) -> tuple[Mapping, ...]:
    """The executable mappings in a copy of /proc/self/maps."""
    found = []
    for line in path.read_text().splitlines():
        span, rights, offset, *_, name = line.split(None, 5) if len(line.split(None, 5)) == 6 else (*line.split(None, 4), "")
        if "x" in rights and name.startswith("/"):
            start, end = (int(part, 16) for part in span.split("-"))
            found.append(Mapping(start, end, int(offset, 16), name.strip()))
    return tuple(found)


def from_dump(path: Path) -> pd.DataFrame:
    """The table that blockcount.c wrote. UserError when it wrote none."""
    if not path.is_file():
        raise UserError("the QEMU plugin wrote no counts: the disk may be full, or the guest ended before its marks.")
    rows = []
    for line in path.read_text().splitlines():
        address, *numbers, code = line.split()
        words = tuple(int(code[k : k + 8], 16) for k in range(0, len(code), 8))
        rows.append((int(address, 16), *map(int, numbers), words))
    return pd.DataFrame(rows, columns=COLUMNS)


def from_log(lines: Iterable[bytes]) -> tuple[pd.DataFrame, int]:
    """The same from the lines of `qemu -d nochain,exec,in_asm,strace`, between the marks ZERO and DUMP; and how many marks.

    A `Trace` line names the block that starts to execute; `0x<address>:  <word>` lines list a newly translated block.
    """
    mark, code, counts, current, marks = b"syscall %d" % MARK, {}, Counter(), None, 0
    for line in lines:
        if line.startswith(b"Trace "):
            current = None
            if marks == 2:
                counts[line.split(b"/", 2)[1]] += 1
        elif line.startswith(b"0x"):
            address, word = line.split(None, 2)[:2]
            if current is None:
                current = code[address[2:-1].zfill(16)] = []
            current.append(int(word, 16))
        else:
            current = None
            marks += mark in line
    rows = [(int(a, 16), n, *[float("nan")] * len(MEMORY), tuple(code[a])) for a, n in counts.items()]
    return pd.DataFrame(rows, columns=COLUMNS), marks
