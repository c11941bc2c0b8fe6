"""What was executed: instructions by kind, the hottest kernels by name, SIMD multiply-accumulates."""

import bisect
import re
import struct
from functools import lru_cache
from pathlib import Path

import pandas as pd

from ...base.errors import UserError
from ...base.processes import find_tool, run
from .blocks import Mapping

LLVM = 19  # Debian 12 and 13 offer it; its tables for Neoverse N1 and N2 are the ones that were validated
KINDS = ("simd", "load", "store", "scalar", "branch")
_BRANCH = re.compile(r"(b|bl|br|blr|ret|cbn?z|tbn?z|b\..*)$")
_VECTOR = re.compile(r"\b[vqdshb]\d+\b")
# smull counts: INT8 depthwise kernels start every other product with it and add the pair up afterwards
_MAC = re.compile(r"(fml[as]|fmadd|fmsub|ml[as]|[us]ml[as]l2?|[us]mull2?|sdot|udot|usdot) (?:v\d+\.(\w+)|[sdh]\d+)")
MAC_KERNELS = re.compile(r"gemm|conv")  # other kernels multiply and add too (an exponential, a mean), but no model's MACs
_LANES = {"4s": 4, "2s": 2, "8h": 8, "4h": 4, "2d": 2, "16b": 16, "8b": 8, None: 1}


def llvm(tool: str) -> str:
    return find_tool(f"{tool}-{LLVM}", package=f"llvm-{LLVM}")


def disassemble(blocks: pd.DataFrame) -> dict[int, str]:
    """Instruction word -> assembly text, for every word in `blocks`."""
    words = sorted({word for block in blocks["words"] for word in block})
    listing = "\n".join(" ".join(f"0x{byte:02x}" for byte in struct.pack("<I", word)) for word in words)
    told = run([llvm("llvm-mc"), "-disassemble", "-triple=aarch64", "-mattr=+all"], "llvm-mc", 120, listing)
    lines = [line.strip().replace("\t", " ") for line in told.splitlines() if line.startswith("\t") and line[1] != "."]
    if len(lines) != len(words):
        raise UserError(f"llvm-mc read {len(lines)} of {len(words)} instructions: install llvm-{LLVM}.")
    return dict(zip(words, lines, strict=True))


def kind(text: str) -> str:
    """One of KINDS. A load or store counts as such whatever register it uses; system instructions are scalar.

    >>> [kind(t) for t in ("fmla v0.4s, v1.4s, v2.s[0]", "ldr q0, [x1]", "stp x0, x1, [sp]", "add x0, x0, #1", "b.ne #8")]
    ['simd', 'load', 'store', 'scalar', 'branch']
    """
    mnemonic, _, operands = text.partition(" ")
    if _BRANCH.match(mnemonic):
        return "branch"
    if mnemonic.startswith(("ld", "prfm")):
        return "load"
    if mnemonic.startswith("st"):
        return "store"
    return "simd" if _VECTOR.search(operands) else "scalar"


def simd_macs(text: str) -> int:
    """Multiply-accumulates of one execution: lanes, times 4 for a dot product.

    >>> [simd_macs(t) for t in ("fmla v20.4s, v0.4s, v4.s[1]", "sdot v8.4s, v1.16b, v0.4b[0]", "fmul v0.4s, v1.4s, v2.4s")]
    [4, 16, 0]
    """
    found = _MAC.match(text)
    if not found:
        return 0
    return _LANES[found[2]] * (4 if found[1].endswith("dot") else 1)


def total_instructions(blocks: pd.DataFrame) -> int:
    return int((blocks["executed"] * blocks["words"].map(len)).sum())


def count_mix(blocks: pd.DataFrame, texts: dict[int, str]) -> pd.DataFrame:
    """`kind, instructions, share, evidence`, a row for each of KINDS."""
    kinds = {word: kind(text) for word, text in texts.items()}
    totals = dict.fromkeys(KINDS, 0)
    for executed, words in zip(blocks["executed"], blocks["words"], strict=True):
        for word in words:
            totals[kinds[word]] += int(executed)
    every = sum(totals.values())
    rows = [{"kind": k, "instructions": n, "share": n / every, "evidence": "simulated"} for k, n in totals.items()]
    return pd.DataFrame(rows)


def _block_macs(blocks: pd.DataFrame, texts: dict[int, str]) -> pd.Series:
    macs = {word: simd_macs(text) for word, text in texts.items()}
    return blocks["executed"] * blocks["words"].map(lambda words: sum(macs[word] for word in words))


def count_kernels(blocks: pd.DataFrame, maps: tuple[Mapping, ...], texts: dict[int, str]) -> pd.DataFrame:
    """`kernel, instructions, share, simd_macs, l1_misses, l2_misses, l3_misses, evidence`, hottest first.

    `simd_macs` are those of convolutions and matrix products. Misses are NaN when the log counted.
    """
    table = pd.DataFrame({"kernel": name_kernels(blocks, maps), "simd_macs": _block_macs(blocks, texts)})
    table["simd_macs"] = table["simd_macs"].where(table["kernel"].str.contains(MAC_KERNELS), 0)
    table["instructions"] = blocks["executed"] * blocks["words"].map(len)
    misses = ["l1_misses", "l2_misses", "l3_misses"]
    table[misses] = blocks[misses]
    table = table.groupby("kernel").sum(min_count=1).sort_values("instructions", ascending=False).reset_index()
    table["share"] = table["instructions"] / table["instructions"].sum()
    return table[["kernel", "instructions", "share", "simd_macs", *misses]].assign(evidence="simulated")


def name_kernels(blocks: pd.DataFrame, maps: tuple[Mapping, ...]) -> pd.Series:
    """The function that holds each block; `?` where the library has no name for it."""
    return blocks["address"].map(lambda address: _function(address, maps))


def _function(address: int, maps: tuple[Mapping, ...]) -> str:
    for mapping in maps:
        if mapping.start <= address < mapping.end:
            segments, starts, names = _symbols(mapping.path)
            in_file = address - mapping.start + mapping.offset
            virtual = next((in_file - o + v for o, v, size in segments if o <= in_file < o + size), in_file)
            place = bisect.bisect_right(starts, virtual) - 1
            return names[place] if place >= 0 else "?"
    return "?"


@lru_cache(maxsize=8)
def _symbols(path: str) -> tuple[list, list[int], list[str]]:
    """Loaded segments (file offset, address, size) of a 64-bit ELF file, and its functions sorted by address."""
    with Path(path).open("rb") as file:
        header = struct.unpack("<16sHHIQQQIHHHHHH", file.read(64))
        file.seek(header[5])
        programs = [struct.unpack("<IIQQQQQQ", file.read(56)) for _ in range(header[10])]
    segments = [(p[2], p[3], p[5]) for p in programs if p[0] == 1]
    listing = run([llvm("llvm-nm"), "--demangle", "--defined-only", path], "llvm-nm", 120)
    parsed = (line.split(" ", 2) for line in listing.splitlines() if line[:1] != " ")
    functions = sorted({int(p[0], 16): p[2] for p in parsed if len(p) == 3 and p[1] in "tTwW" and p[2][0] != "$"}.items())
    return segments, [address for address, _ in functions], [name for _, name in functions]
