"""One run of a model in the guest: outputs of every input, and the executed code blocks of one inference.

Blocks come from our QEMU plugin, or, where QEMU loads no plugins, from QEMU's own log of executed blocks.
"""

import contextlib
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...base.errors import UserError
from ...base.processes import check_ended, find_tool, run, started
from ...base.results import written_whole
from .blocks import CODE, Mapping, from_dump, from_log, read_maps
from .core import Core, write_cpu_files
from .guest import environment, find_guest, guest_dir

# An A78 executes what an A76 does (dot product, half precision, no i8mm); QEMU has no model of its own for it.
CPU = "cortex-a76"
# Newest plugin interface that a QEMU loads: QEMU 9 refuses 1, QEMU 8 refuses 2.
PLUGIN_APIS = (2, 1)
SLACK_BYTES = 1 << 24
# Room for the guest's addresses. Without it QEMU 10 lays them out at random, and the log's filter misses the library.
RESERVED_BYTES = 1 << 37


@dataclass(frozen=True)
class GuestRun:
    """`outputs` (N, ...) in the model's own type, `blocks` (see blocks.py), the memory map, `plugin` or `log`."""

    outputs: np.ndarray
    blocks: pd.DataFrame
    maps: tuple[Mapping, ...]
    counter: str
    qemu: str


def run_guest(model: Path, inputs: np.ndarray, core: Core, counter: str = "auto", timeout_s: float = 300) -> GuestRun:
    """Run `model` on every row of `inputs` (N, ...; the model's own type), counting one inference of the first row.

    `counter`: `plugin`, `log`, or `auto` (the plugin if QEMU loads it). UserError when the guest or QEMU is missing,
    when the guest fails or crashes, or after `timeout_s`; then nothing keeps running and no file stays.
    """
    if counter not in ("auto", "plugin", "log"):
        raise UserError(f"counter {counter!r}: expected auto, plugin or log.")
    guest = find_guest()
    qemu = find_tool("qemu-aarch64", package="qemu-user")
    version = run([qemu, "--version"], "qemu-aarch64", 60).split("version ")[-1].split()[0]
    with tempfile.TemporaryDirectory(prefix="hwaware-a78-") as name:
        folder = Path(name)
        command = _prepare(qemu, guest, folder, core)
        program = [guest["root"] / "usr" / "bin" / f"python{guest['python']}", Path(__file__).with_name("inside.py")]
        np.save(folder / "inputs.npy", inputs)
        program += [model.absolute(), folder]
        plugin = None if counter == "log" else find_plugin(qemu, program[0], folder)
        if plugin is None and counter == "plugin":
            raise UserError(f"QEMU {version} loads no plugin here: use counter='log', or install qemu-user and gcc.")
        options = {"cwd": folder, "env": environment()}
        if plugin is not None:
            caches = ",".join(f"l{k}={size}/{ways}" for k, (size, ways) in enumerate(core.caches, 1))
            files = ",out=".join(str(path).replace(",", ",,") for path in (plugin, folder / "blocks"))
            command += ["-plugin", f"{files},{caches}"]
        run([*command, *program], "the guest", timeout_s, **options)
        maps, outputs = read_maps(folder / "maps"), np.load(folder / "outputs.npy")
        if plugin is not None:
            blocks = from_dump(folder / "blocks")
        else:
            np.save(folder / "inputs.npy", inputs[:1])
            blocks = _logged([*command, *_log_options(maps)], program, options, timeout_s)
            maps = read_maps(folder / "maps")
    return GuestRun(outputs, _inside_library(blocks, maps), maps, "log" if plugin is None else "plugin", version)


def _prepare(qemu: str, guest: dict, folder: Path, core: Core) -> list:
    """The start of QEMU's command line. The guest's root is a folder of links, with CPU files of its own."""
    root = folder / "root"
    root.mkdir()
    for part in guest["root"].iterdir():
        if part.is_dir():
            (root / part.name).symlink_to(part.resolve())
    write_cpu_files(core, root)
    return [qemu, "-cpu", CPU, "-seed", "1", "-R", hex(RESERVED_BYTES), "-L", root]


def find_plugin(qemu: str, probe: Path, folder: Path) -> Path | None:
    """Our plugin, compiled once into the cache folder, if there is a C compiler and QEMU loads it; else None."""
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    source = Path(__file__).with_name("blockcount.c")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    for api in PLUGIN_APIS if compiler else ():
        library = guest_dir().parent / f"blockcount-{api}-{digest}.so"
        with contextlib.suppress(UserError):
            if not library.is_file():
                with written_whole(library) as part:
                    run([compiler, "-O2", "-shared", "-fPIC", f"-DAPI={api}", source, "-o", part], "compiling the plugin", 60)
            loaded = [qemu, "-L", folder / "root", "-plugin", library, probe, "--version"]
            run(loaded, "loading the plugin", 60, env=environment())
            return library
    return None


def _log_options(maps: tuple[Mapping, ...]) -> list[str]:
    """Log executed blocks of LiteRT's own code only: Python's start would be a hundred million lines."""
    low, high = (pick(place for m in maps if CODE in m.path for place in (m.start, m.end)) for pick in (min, max))
    # The next run's libraries may lie some pages away: Python's memory is not laid out twice in the same way.
    ranges = f"{low - SLACK_BYTES:#x}+{high - low + 2 * SLACK_BYTES:#x}"
    return ["-d", "nochain,exec,in_asm,strace", "-dfilter", ranges, "-D", "/dev/stdout"]


def _logged(command: list, program: list, options: dict, timeout_s: float) -> pd.DataFrame:
    with tempfile.TemporaryFile() as errors:
        pipes = {"stdout": -1, "stderr": errors}
        with started(["timeout", "--signal=KILL", f"{timeout_s:g}", *command, *program], **pipes, **options) as process:
            blocks, marks = from_log(process.stdout)
            code = process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if code in (-9, 137):
        raise UserError(f"the logged guest took more than {timeout_s:g} s and was stopped: allow more time or a smaller model.")
    check_ended(code, "the logged guest", said)
    if marks < 3:
        raise UserError(f"QEMU's log holds {marks} of 3 marks: it logs in another way; use Debian 12's qemu-user.")
    return blocks


def _inside_library(blocks: pd.DataFrame, maps: tuple[Mapping, ...]) -> pd.DataFrame:
    """LiteRT's own code: what Python and ctypes execute to start an inference is no part of it."""
    inside = np.zeros(len(blocks), bool)
    for mapping in maps:
        if CODE in mapping.path:
            inside |= blocks["address"].between(mapping.start, mapping.end, inclusive="left").to_numpy()
    if not inside.any():
        raise UserError("the guest executed no code of LiteRT between the marks: run `make simulators` again.")
    return blocks[inside].reset_index(drop=True)
