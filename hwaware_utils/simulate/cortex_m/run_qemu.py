"""The same firmware in another simulator: QEMU's mps2-an500 board (a Cortex-M7), which knows nothing of Unicorn's set-up."""

import struct
import subprocess
from pathlib import Path

import numpy as np

from ...base.errors import UserError
from ...base.processes import find_tool, run

IMAGES_AT, IMAGES_BYTES = 0x60000000, 16 << 20  # the board's external RAM, which firmware/main.c reads
# `-icount shift=0` makes an instruction a nanosecond; the board's SysTick counts at 25 MHz
INSTRUCTIONS_PER_TICK = 40


def pack_images(images: np.ndarray) -> bytes:
    """What firmware/main.c expects in memory: the number of images, 12 bytes unused, the images."""
    return struct.pack("<4I", len(images), 0, 0, 0) + images.astype(np.int8).tobytes()


def run_qemu(elf: Path, images: np.ndarray, timeout_s: float = 300) -> tuple[np.ndarray, list[int]]:
    """Logits (n, values) int8 of int8 `images`, and the instructions of each layer of the last image, to within 40.

    UserError if QEMU is missing, the images are too many for its memory, or the firmware crashes or does not end.
    """
    packed = pack_images(images)
    if len(packed) > IMAGES_BYTES:
        raise UserError(f"{len(images)} images take {len(packed):,} bytes: QEMU's board has room for 16 MB, give fewer.")
    qemu = find_tool("qemu-system-arm", package="qemu-system-arm")
    file = elf.with_name("images.bin")
    file.write_bytes(packed)
    # A comma in a path would end QEMU's option: the file is named from its own folder
    options = ["-M", "mps2-an500", "-display", "none", "-monitor", "none", "-serial", "none", "-icount", "shift=0"]
    options += ["-semihosting-config", "enable=on,target=native", "-kernel", elf.name]
    options += ["-device", f"loader,file={file.name},addr={IMAGES_AT:#x},force-raw=on"]
    printed = run([qemu, *options], "the firmware in QEMU", timeout_s, stderr=subprocess.STDOUT, cwd=elf.parent)
    logits, found, ticks = printed.partition("ticks\n")
    if not found:
        raise UserError(f"the firmware in QEMU ended before its time ({printed.strip()[-80:] or 'it said nothing'}).")
    outputs = [np.frombuffer(bytes.fromhex(line), np.int8) for line in logits.split()]
    counts = [INSTRUCTIONS_PER_TICK * int.from_bytes(bytes.fromhex(line), "little") for line in ticks.split()]
    return np.stack(outputs), counts
