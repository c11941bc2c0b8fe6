"""Cycles of the executed code, bracketed by LLVM's pipeline models of the two neighbours of a Cortex-A78.

llvm-mca has no table of its own for the A78 (`-mcpu=cortex-a78` silently takes the Cortex-A57's). Neoverse N1 is the
A76's pipeline, two generations before; Neoverse N2 is the A710's, the generation after. Each straight run of
instructions is taken as if it were repeated 100 times with all its data in the L1 cache.
"""

import re
from collections import Counter

import pandas as pd

from ...base.errors import UserError
from ...base.processes import run
from .counts import kind, llvm

CORES = ("neoverse-n1", "neoverse-n2")
ITERATIONS = 100
COVERED = 0.999  # share of the executed instructions that is given to llvm-mca, hottest runs first
PAGE_BYTES = 4096
_WRITE_BACK = (
    (re.compile(r"((?:ld|st)\w+ .*)\[(\w+)\], #(-?\d+)$"), False),  # post-index
    (re.compile(r"((?:ld|st)\w+ .*)\[(\w+), #(-?\d+)\]!$"), True),  # pre-index
)


def straight_runs(blocks: pd.DataFrame, texts: dict[int, str]) -> pd.DataFrame:
    """`address, executed, words`: maximal runs of neighbouring instructions that are executed equally often.

    Translated blocks overlap (a loop's first pass comes in from above) and stop at page ends; instructions do not.
    """
    executed, words = Counter(), {}
    for address, times, code in zip(blocks["address"], blocks["executed"], blocks["words"], strict=True):
        for k, word in enumerate(code):
            executed[address + 4 * k] += times
            words[address + 4 * k] = word
    entries = {address for address in blocks["address"] if address % PAGE_BYTES}
    runs: list[list[int]] = []
    for address in sorted(executed):
        last = runs[-1][-1] if runs else None
        joins = last == address - 4 and executed[last] == executed[address] and address not in entries
        if joins and kind(texts[words[last]]) != "branch":
            runs[-1].append(address)
        else:
            runs.append([address])
    rows = [(places[0], executed[places[0]], tuple(words[a] for a in places)) for places in runs]
    return pd.DataFrame(rows, columns=["address", "executed", "words"])


def estimate_cycles(blocks: pd.DataFrame, texts: dict[int, str]) -> pd.DataFrame:
    """`straight_runs` with the cycles of all executions of each run: a column for each of CORES.

    Runs beyond COVERED get the mean cycles an instruction of the others.
    """
    runs = straight_runs(blocks, texts)
    work = runs["executed"] * runs["words"].map(len)
    runs = runs.assign(instructions=work).sort_values("instructions", ascending=False, ignore_index=True)
    hot = runs["instructions"].cumsum().shift(fill_value=0) < COVERED * work.sum()
    for core in CORES:
        listings = [[texts[word] for word in words] for words in runs.loc[hot, "words"]]
        if core == "neoverse-n2":
            listings = [[part for text in listing for part in split_write_back(text)] for listing in listings]
        runs.loc[hot, core] = runs.loc[hot, "executed"] * _analyse(listings, core)
        mean = runs.loc[hot, core].sum() / runs.loc[hot, "instructions"].sum()
        runs.loc[~hot, core] = runs.loc[~hot, "instructions"] * mean
    return runs


def split_write_back(text: str) -> list[str]:
    """A load or store that also moves its address register, as two instructions.

    LLVM's table for N2 makes the moved register wait for the loaded data, which no such core does.

    >>> split_write_back("ldr q0, [x1], #16")
    ['ldr q0, [x1]', 'add x1, x1, #16']
    """
    for pattern, before in _WRITE_BACK:
        if found := pattern.match(text):
            start, register, step = found[1], found[2], int(found[3])
            move = f"{'add' if step >= 0 else 'sub'} {register}, {register}, #{abs(step)}"
            access = f"{start}[{register}]"
            return [move, access] if before else [access, move]
    return [text]


def _analyse(listings: list[list[str]], core: str) -> list[float]:
    """Cycles of one pass through each listing."""
    regions = (["# LLVM-MCA-BEGIN r", *(f"\t{line}" for line in listing), "# LLVM-MCA-END"] for listing in listings)
    program = "\n".join(line for region in regions for line in region) + "\n"
    command = [llvm("llvm-mca"), "-mtriple=aarch64", f"-mcpu={core}", f"-iterations={ITERATIONS}"]
    command += ["-instruction-info=0", "-resource-pressure=0", "-dispatch-stats=0", "-mattr=+dotprod,+fullfp16,+lse,+rcpc"]
    totals = re.findall(r"^Total Cycles:\s+(\d+)", run(command, f"llvm-mca ({core})", 300, program), re.MULTILINE)
    if len(totals) != len(listings):
        raise UserError(f"llvm-mca ({core}) analysed {len(totals)} of {len(listings)} pieces of code: install llvm-19.")
    return [int(total) / ITERATIONS for total in totals]
