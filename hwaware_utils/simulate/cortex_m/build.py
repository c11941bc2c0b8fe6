"""From C to firmware with the compiler that pip installs (`python -m ziglang cc`), inside the memories of the linker script."""

import os
import re
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

from ...base.errors import UserError
from ...base.processes import started
from .elf import Image, read_elf
from .generate import Sources, write_sources

HERE = Path(__file__).parent
FIRMWARE = HERE / "firmware"
FLASH_BYTES, RAM_BYTES = 2 << 20, 512 << 10  # as in firmware/memory.ld (tested)
# The SIMD kernels read int8 constants word by word: no strict aliasing
FLAGS = ["-mcpu=cortex_m7", "-O2", "-fomit-frame-pointer", "-fno-strict-aliasing", "-ffreestanding", "-fno-builtin"]
FLAGS += ["-ffunction-sections", "-fdata-sections", "-nostdlib"]


class DoesNotFit(UserError):
    """The firmware needs more flash or RAM than the device has; `excess_bytes` by memory ("flash", "RAM")."""

    def __init__(self, name: str, excess_bytes: dict[str, int]):
        self.excess_bytes = excess_bytes
        parts = [f"{memory} by {excess:,} bytes" for memory, excess in excess_bytes.items()]
        super().__init__(
            f"{name} does not fit the device: it exceeds {' and '.join(parts)} (2 MB flash, 512 KB RAM); use a smaller model."
        )


def require(package: str) -> None:
    """UserError unless the Python package `package` is installed."""
    if util.find_spec(package.replace("-", "_")) is None:
        raise UserError(f"the package {package!r} is not installed: run `pip install {package}`, or `make setup`.")


def copy_sources(sources: Sources, folder: Path) -> None:
    """Write the model's C and copy kernels, startup and linker script into `folder`."""
    for path in sorted(FIRMWARE.iterdir()):
        needed = sources.kernels == "simd" or not path.name.startswith("simd")
        if path.suffix in (".c", ".h", ".ld") and needed:
            shutil.copyfile(path, folder / path.name)
    write_sources(sources, folder)


def build_firmware(folder: Path, name: str, timeout_s: float = 120) -> Image:
    """Compile and link the C files of `folder` to `firmware.elf`.

    DoesNotFit says by how many bytes the memories are exceeded; UserError if the compiler is missing, fails or hangs.
    """
    target = ["-target", "thumb-freestanding-eabihf", *FLAGS, "-I.", "-Wl,-T,memory.ld", "-Wl,-e,reset", "-Wl,--gc-sections"]
    files = sorted(path.name for path in folder.glob("*.c"))
    done = _compile([*target, *files, "-o", "firmware.elf"], folder, timeout_s)
    excess = {}
    for memory, excess_bytes in re.findall(r"will not fit in region '(\w+)': overflowed by (\d+) bytes", done.stderr):
        label = "flash" if memory == "FLASH" else memory
        excess[label] = max(excess.get(label, 0), int(excess_bytes))
    if excess:
        raise DoesNotFit(name, excess)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise UserError(f"the firmware of {name} does not compile ({lines[0][:160]}): report it with the model.")
    return read_elf(folder / "firmware.elf")


def compile_counters(folder: Path, timeout_s: float = 120) -> Path:
    """The native hooks for Unicorn, compiled for this host."""
    done = _compile(
        ["-O2", "-shared", "-fPIC", "-nostdlib", str(HERE / "host" / "counters.c"), "-o", "counters.so"], folder, timeout_s
    )
    if done.returncode:
        raise UserError(f"the counting hooks do not compile on this host ({done.stderr.strip()[-160:]}): report it.")
    return folder / "counters.so"


def _compile(arguments: list[str], folder: Path, timeout_s: float) -> subprocess.CompletedProcess:
    require("ziglang")
    # Zig's global cache stays (it makes the second build fast); the local one goes with the folder
    environment = os.environ | {"ZIG_LOCAL_CACHE_DIR": str(folder / ".zig-cache")}
    command = [sys.executable, "-m", "ziglang", "cc", *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": folder, "env": environment}
    try:
        with started(command, **options) as process:
            out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"compiling took more than {timeout_s:g} s and was stopped: allow more time.") from error
    return subprocess.CompletedProcess(command, process.returncode, out, err)
