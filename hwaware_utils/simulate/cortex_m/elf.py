"""The three things that a simulator needs of a linked firmware: its bytes in flash, its symbols, its size."""

import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Image:
    """`flash` from address 0 (code, constants, initial data), `symbols` name -> address (the Thumb bit cleared)."""

    path: Path
    flash: bytes
    symbols: dict[str, int]

    def word(self, address: int) -> int:
        return struct.unpack_from("<I", self.flash, address)[0]


def read_elf(path: Path) -> Image:
    """Load segments and symbols of a 32-bit little-endian ELF file."""
    data = path.read_bytes()
    program_at, section_at = struct.unpack_from("<II", data, 28)
    program_size, programs, section_size, sections = struct.unpack_from("<HHHH", data, 42)
    flash = bytearray()
    for i in range(programs):
        kind, offset, _, address, size = struct.unpack_from("<5I", data, program_at + i * program_size)
        if kind == 1 and size:  # PT_LOAD, placed at its load address
            flash.extend(bytes(max(0, address + size - len(flash))))
            flash[address : address + size] = data[offset : offset + size]
    headers = [struct.unpack_from("<10I", data, section_at + i * section_size) for i in range(sections)]
    symbols = {}
    for header in headers:
        if header[1] == 2:  # SHT_SYMTAB; header[6] is the section with its names
            names = headers[header[6]][4]
            for at in range(header[4], header[4] + header[5], 16):
                name, value, _, info = struct.unpack_from("<IIIB", data, at)
                end = data.index(b"\0", names + name)
                # Functions carry the Thumb bit in their address
                symbols[data[names + name : end].decode()] = value & ~1 if info & 15 == 2 else value
    return Image(path, bytes(flash), symbols)
