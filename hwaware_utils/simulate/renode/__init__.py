"""The Cortex-M7 firmware in Renode, where Renode is installed: a third simulator beside Unicorn and QEMU.

No package registry has Renode, so it is looked for on the PATH and never installed. The platform script follows its
documentation; it has never run on the machine that wrote it, and no number in the book comes from it.
"""

import contextlib
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...base.errors import UserError
from ...base.processes import started
from ..comparison import check_inputs, compare_outputs, random_inputs
from ..cortex_m.build import build_firmware, copy_sources
from ..cortex_m.elf import Image
from ..cortex_m.generate import generate
from ..cortex_m.golden import reference_logits
from ..cortex_m.network import read_network
from ..cortex_m.run_qemu import IMAGES_BYTES, INSTRUCTIONS_PER_TICK, pack_images
from ..summary import summary_row

HERE = Path(__file__).parent
SCRIPTS = ("cortex_m7.repl", "cortex_m7.resc")
NOT_RUN = (
    "not run here: Renode is not on the PATH, and no package registry has it; install it from renode.io (1.16 or newer), "
    "or use cortex_m, which runs the same firmware in Unicorn and QEMU."
)


@dataclass(frozen=True)
class RenodeRun:
    """`summary`: one row of simulations.csv (Renode counts instructions, it models no cycles). `outputs`: (n, values) int8.

    `operators`: index, operator, name, macs and instructions (of the last input, to within 40) of each layer, evidence.
    """

    summary: pd.DataFrame
    operators: pd.DataFrame
    outputs: np.ndarray


def why_not_run() -> str:
    """Empty where Renode is on the PATH; otherwise the sentence that the book shows instead of a result."""
    return "" if shutil.which("renode") else NOT_RUN


def simulate(
    model: Path, inputs: np.ndarray | None = None, kernels: str = "simd", timeout_s: float = 300, variant: str = ""
) -> RenodeRun:
    """Run the firmware of the INT8 `.tflite` file `model` in Renode; arguments as in `cortex_m.simulate`.

    UserError in one sentence when Renode is missing, for an unfit model or inputs, when Renode ends early, the firmware
    crashes, or no answer comes in time.
    """
    model = Path(model)
    network = read_network(model)
    if why_not_run():
        raise UserError(NOT_RUN)
    inputs = random_inputs(model, 4) if inputs is None else check_inputs(model, inputs)
    with tempfile.TemporaryDirectory(prefix="hwaware-renode-") as folder:
        copy_sources(generate(network, kernels), Path(folder))
        outputs, instructions = run_renode(build_firmware(Path(folder), model.name), inputs, timeout_s)
    layers = [{name: getattr(layer, name) for name in ("index", "operator", "name", "macs")} for layer in network.layers]
    summary = summary_row(
        variant=variant or model.stem,
        platform="arm_cortex_m7",
        simulator=f"Renode, {kernels} kernels",
        instructions=sum(instructions),
        **compare_outputs(outputs, reference_logits(model, inputs)),
        evidence="simulated",
    )
    operators = pd.DataFrame(layers).assign(instructions=instructions, evidence="simulated")
    return RenodeRun(summary, operators, outputs)


def run_renode(image: Image, images: np.ndarray, timeout_s: float = 300) -> tuple[np.ndarray, list[int]]:
    """Logits (n, values) int8 of int8 `images`, and the instructions of each layer of the last image, to within 40.

    Renode runs beside the firmware file and is stopped as soon as all is printed: the firmware cannot end it.
    """
    packed = pack_images(images)
    if len(packed) > IMAGES_BYTES:
        raise UserError(f"{len(images)} images take {len(packed):,} bytes: the platform has room for 16 MB, give fewer.")
    folder = image.path.parent
    (folder / "output.txt").unlink(missing_ok=True)
    (folder / "images.bin").write_bytes(packed)
    for name in SCRIPTS:
        shutil.copy(HERE / name, folder)
    layers = image.word(image.symbols["model_layer_count"])
    command = ["renode", "--disable-xwt", "--console", "--plain", "-e", f"include @{folder}/cortex_m7.resc"]
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "renode.log").open("w+"))
        # An open but silent standard input: at its end the console would quit
        process = stack.enter_context(started(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder))
        printed = _wait(folder / "output.txt", len(images) + 1 + layers, process, timeout_s, folder / "renode.log")
    lines = printed.split()
    outputs = [np.frombuffer(bytes.fromhex(line), np.int8) for line in lines[: len(images)]]
    ticks = [int.from_bytes(bytes.fromhex(line), "little") for line in lines[len(images) + 1 :]]
    return np.stack(outputs), [INSTRUCTIONS_PER_TICK * count for count in ticks]


def _wait(output: Path, lines: int, process: subprocess.Popen, timeout_s: float, log: Path) -> str:
    """What the firmware has printed, once it is that many lines."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        ended = process.poll() is not None
        printed = output.read_text() if output.is_file() else ""
        if "fault" in printed:
            raise UserError("the firmware in Renode crashed (its fault handler ran): compare with cortex_m.")
        if printed.count("\n") >= lines:
            return printed
        if ended:
            said = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise UserError(f"Renode ended before the firmware had printed all ({said[-1].strip()[:160]}).")
        time.sleep(0.05)
    raise UserError(f"the firmware in Renode had not ended after {timeout_s:g} s and was stopped: allow more time.")
