"""A NOR flash, simulated: erase before write, whole sectors, whole pages, and a power cut in any operation.

A programmed bit can only go from 1 to 0 and a page is programmed once after an erase, as on parts with ECC. When the
power goes, the operation has done nothing, everything, or a random part: an erase has freed some bits, a program has
cleared some of those that it was to clear.
"""

from dataclasses import dataclass

import numpy as np

OUTCOMES = ("nothing", "part", "everything")
ERASED = 0xFF


class PowerCut(Exception):
    """The supply went away in the middle of an operation; nothing after it has happened."""


@dataclass(frozen=True)
class Geometry:
    """A serial NOR flash; sector and page as on Winbond W25Q parts (data sheet W25Q128JV, 2021: 4 KiB, 256 bytes)."""

    sector_bytes: int = 4096
    page_bytes: int = 256


GEOMETRY = Geometry()


class Flash:
    """`sectors` erased sectors. `cut` = (outcome, seed) stops the flash in its next operation.

    `watch(name, address, content)` is called before every operation, if set: a test of power cuts listens there.
    """

    def __init__(self, sectors: int, geometry: Geometry = GEOMETRY):
        self.geometry = geometry
        self.cells = np.full(sectors * geometry.sector_bytes, ERASED, np.uint8)
        self.programmed = np.zeros(len(self.cells) // geometry.page_bytes, bool)
        self.cut: tuple[str, int] | None = None
        self.watch = None

    def read(self, address: int, size: int) -> bytes:
        return self.cells[address : address + size].tobytes()

    def erase(self, address: int) -> None:
        """The sector at `address` to all ones. ValueError off a sector's boundary."""
        self._begin("erase", address, b"", self.geometry.sector_bytes)
        self._end(address, np.full(self.geometry.sector_bytes, ERASED, np.uint8), frees=True)

    def program(self, address: int, content: bytes) -> None:
        """One page; a shorter content leaves its end erased. ValueError when the page was not erased before."""
        size = self.geometry.page_bytes
        self._begin("program", address, content, size)
        if len(content) > size or self.programmed[address // size] or self.read(address, size).count(ERASED) != size:
            raise ValueError(f"page {address:#x} is not erased, or {len(content)} bytes are more than it holds.")
        self._end(address, np.frombuffer(content.ljust(size, bytes([ERASED])), np.uint8), frees=False)

    def after_power_up(self) -> "Flash":
        """The same cells with the supply back."""
        copy = Flash(0, self.geometry)
        copy.cells, copy.programmed = self.cells.copy(), self.programmed.copy()
        return copy

    def _begin(self, name: str, address: int, content: bytes, size: int) -> None:
        if address % size or not 0 <= address <= len(self.cells) - size:
            raise ValueError(f"address {address:#x} is no start of {size} bytes inside the flash.")
        if self.watch:
            self.watch(name, address, content)

    def _end(self, address: int, target: np.ndarray, frees: bool) -> None:
        place = slice(address, address + len(target))
        pages = slice(address // self.geometry.page_bytes, (address + len(target)) // self.geometry.page_bytes)
        outcome, seed = self.cut or ("everything", 0)
        if outcome == "everything":
            self.cells[place], self.programmed[pages] = target, not frees
        elif outcome == "part":  # what an erase began may not be programmed, nor what a program began
            reached = np.random.default_rng((seed, address)).integers(0, 256, len(target), dtype=np.uint8)
            before = self.cells[place].copy()
            self.cells[place] = before | (target & reached) if frees else before & (target | reached)
            self.programmed[pages] = True
        if self.cut:
            raise PowerCut(f"power lost at {address:#x}.")
