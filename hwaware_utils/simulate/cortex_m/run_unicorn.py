"""The firmware in Unicorn (QEMU's processor core as a library): every instruction executed, layer by layer, and counted."""

import ctypes
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...base.errors import UserError
from .build import FLASH_BYTES, RAM_BYTES, require
from .elf import Image

RAM = 0x20000000
RETURN = 0x1FFFF0  # a flash address that holds no code: the layer's return address
TOTALS = ("loads", "stores", "flash_misses", "ram_misses", "write_backs", "code_misses", "mispredicted")


@dataclass
class LayerCount:
    """`blocks`: (start, bytes) -> runs; `totals`: TOTALS by name."""

    blocks: dict[tuple[int, int], int]
    totals: dict[str, int]
    instructions: int


class Machine:
    """A Cortex-M7 with flash and RAM, the firmware in it, ready to run layers. `counters`: a library of compile_counters."""

    def __init__(self, image: Image, counters: Path | None = None, timeout_s: float = 60):
        require("unicorn")
        import unicorn
        from unicorn import arm_const

        self.image, self.timeout_s, self._unicorn, self._registers = image, timeout_s, unicorn, arm_const
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M7)
        self._uc.mem_map(0, FLASH_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._uc.mem_map(RAM, RAM_BYTES)
        self._uc.mem_write(0, image.flash)
        start, end, load = (image.symbols[name] for name in ("data_start", "data_end", "data_load"))
        self._uc.mem_write(start, image.flash[load : load + end - start])
        self._stack_top, self._stack_bytes = image.word(0), image.symbols["STACK_BYTES"]
        self._uc.mem_write(self._stack_top - self._stack_bytes, b"\xaa" * self._stack_bytes)
        self._counters = _Counters(unicorn, self._uc, counters) if counters else None

    @cached_property
    def layers(self) -> list[int]:
        """Addresses of the layers' functions."""
        first, count = self.image.symbols["model_layers"], self.image.symbols["model_layer_count"]
        return list(struct.unpack_from(f"<{self.image.word(count)}I", self.image.flash, first))

    def run_layer(self, k: int) -> LayerCount | None:
        """Run layer k to its end; what it took, where the machine counts. UserError where it crashes or does not end."""
        registers = self._registers
        self._uc.reg_write(registers.UC_ARM_REG_SP, self._stack_top)
        self._uc.reg_write(registers.UC_ARM_REG_LR, RETURN | 1)
        try:
            self._uc.emu_start(self.layers[k] | 1, RETURN, timeout=int(self.timeout_s * 1e6))
        except self._unicorn.UcError as error:
            at = self._uc.reg_read(registers.UC_ARM_REG_PC)
            raise UserError(
                f"the firmware crashed in layer {k} at {at:#x} ({error}): its C or the compiler is at fault."
            ) from error
        if self._uc.reg_read(registers.UC_ARM_REG_PC) != RETURN:
            raise UserError(
                f"layer {k} of the firmware had not ended after {self.timeout_s:g} s: raise the limit or look for a loop."
            )
        return self._counters.take(self.image.flash) if self._counters else None

    def infer(self, image: np.ndarray) -> tuple[np.ndarray, list[LayerCount | None]]:
        """Logits (int8) of one int8 image, and the count of every layer."""
        self._uc.mem_write(self.image.word(self.image.symbols["model_input"]), image.tobytes())
        counts = [self.run_layer(k) for k in range(len(self.layers))]
        size = self.image.word(self.image.symbols["model_output_bytes"])
        logits = self._uc.mem_read(self.image.word(self.image.symbols["model_output"]), size)
        return np.frombuffer(bytes(logits), np.int8), counts

    def stack_bytes(self) -> int:
        """Deepest use of the stack so far, by the paint that is left."""
        stack = bytes(self._uc.mem_read(self._stack_top - self._stack_bytes, self._stack_bytes))
        return self._stack_bytes - next((i for i, byte in enumerate(stack) if byte != 0xAA), self._stack_bytes)


class _Counters:
    """The native hooks. Unicorn's Python interface takes Python functions only, so they are added through its C library."""

    def __init__(self, unicorn, uc, library: Path):
        from unicorn.unicorn_py3.unicorn import uclib

        self._library = ctypes.CDLL(str(library))
        self._library.counters_bytes.restype = ctypes.c_uint64
        self._state = ctypes.create_string_buffer(self._library.counters_bytes())
        self._library.counters_reset(self._state)
        self._blocks = np.zeros((1 << 20, 3), np.uint64)
        memory = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
        for kind, function in ((unicorn.UC_HOOK_BLOCK, "on_block"), (memory, "on_memory")):
            handle, everywhere = ctypes.c_size_t(), (ctypes.c_uint64(1), ctypes.c_uint64(0))
            address = ctypes.cast(getattr(self._library, function), ctypes.c_void_p)
            state = ctypes.cast(self._state, ctypes.c_void_p)
            if uclib.uc_hook_add(uc._uch, ctypes.byref(handle), kind, address, state, *everywhere):
                raise RuntimeError(f"Unicorn refused the hook {function}")

    def take(self, flash: bytes) -> LayerCount:
        totals = (ctypes.c_uint64 * len(TOTALS))()
        found = self._library.counters_take(self._state, self._blocks.ctypes.data_as(ctypes.c_void_p), totals)
        blocks = {(int(start), int(size)): int(runs) for start, size, runs in self._blocks[:found]}
        instructions = sum(runs * len(instruction_starts(flash, *block)) for block, runs in blocks.items())
        return LayerCount(blocks, dict(zip(TOTALS, map(int, totals), strict=True)), instructions)


def instruction_starts(flash: bytes, start: int, size: int) -> list[int]:
    """Addresses of the Thumb instructions in a block: four bytes where the upper five bits are 0b11101 or more."""
    starts, at = [], start
    while at < start + size:
        starts.append(at)
        at += 4 if flash[at + 1] >> 3 >= 0x1D else 2
    return starts
