"""An INT8 model on a Cortex-M7: generated, compiled, run, compared with TFLite-Micro, counted."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...base.errors import UserError
from ...platforms.specs import load_platform
from ..comparison import check_inputs, compare_outputs, random_inputs
from ..summary import summary_row
from .build import build_firmware, compile_counters, copy_sources
from .cycles import estimate_cycles
from .generate import generate
from .golden import reference_logits
from .network import Network, read_network
from .run_qemu import run_qemu
from .run_unicorn import LayerCount, Machine


@dataclass
class CortexMRun:
    """`summary`: a row of simulations.csv. `operators`: a row a layer (see `_operators`). `outputs`: (n, values) int8.

    `arena_bytes` (activations and scratch), `flash_bytes` (code and constants), `ram_bytes` (arena, data, stack as
    reserved), `stack_bytes` (the deepest use seen). `qemu`: with a cross-check, `logits_equal` and the instructions a
    layer that QEMU counted; otherwise None.
    """

    summary: pd.DataFrame
    operators: pd.DataFrame
    outputs: np.ndarray
    arena_bytes: int
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    qemu: dict | None = None


def simulate(
    model: Path,
    inputs: np.ndarray | None = None,
    kernels: str = "simd",
    platform: str = "arm_cortex_m7",
    cross_check: bool = False,
    timeout_s: float = 120,
    variant: str = "",
) -> CortexMRun:
    """Run the INT8 `.tflite` file `model` on int8 `inputs` (n, H, W, C; default 4 random ones) in Unicorn.

    `kernels`: "simd" or "portable" C. `platform` gives the clock. `cross_check` repeats the run in QEMU. Instructions,
    cycles and misses are those of the first input, with cold caches. UserError in one sentence for an unfit model or
    inputs, a missing tool, a crash, a time-out; its subclass build.DoesNotFit says by how many bytes a model is too large.
    """
    model = Path(model)
    network = read_network(model)
    if load_platform(platform).core != "Cortex-M7":
        raise UserError(f"platform {platform!r} has no Cortex-M7: the simulated core is one.")
    inputs = random_inputs(model, 4) if inputs is None else check_inputs(model, inputs)
    sources = generate(network, kernels)
    with tempfile.TemporaryDirectory(prefix="hwaware-cortex-m-") as folder:
        copy_sources(sources, Path(folder))
        image = build_firmware(Path(folder), model.name, timeout_s)
        counting = Machine(image, compile_counters(Path(folder), timeout_s), timeout_s)
        first, counts = counting.infer(inputs[0])
        plain = Machine(image, timeout_s=timeout_s)
        outputs = np.stack([plain.infer(one)[0] for one in inputs])
        if not np.array_equal(outputs[0], first):
            raise RuntimeError("counting changed the outputs")
        operators = _operators(network, counts, estimate_cycles(image, counts, timeout_s))
        qemu = _cross_check(image.path, inputs, outputs, timeout_s) if cross_check else None
        ram_bytes = image.symbols["stack_top"] - image.symbols["data_start"]
    compared = compare_outputs(outputs, reference_logits(model, inputs))
    summary = _summary(variant or model.stem, platform, kernels, operators, compared)
    return CortexMRun(
        summary, operators, outputs, sources.arena_bytes, len(image.flash), ram_bytes, counting.stack_bytes(), qemu
    )


def _operators(network: Network, counts: list[LayerCount], cycles: pd.DataFrame) -> pd.DataFrame:
    """`index, operator, name, macs, instructions, cycles (= cycles_low), cycles_high, instructions_per_mac, loads, stores,
    flash_misses, ram_misses, mispredicted, evidence`; instructions_per_mac is missing where nothing is multiplied."""
    rows = [
        {"index": layer.index, "operator": layer.operator, "name": layer.name, "macs": layer.macs}
        | {"instructions": count.instructions, "cycles": int(low), "cycles_high": int(high)}
        | {"instructions_per_mac": count.instructions / layer.macs if layer.macs else np.nan}
        | {name: count.totals[name] for name in ("loads", "stores", "flash_misses", "ram_misses", "mispredicted")}
        for layer, count, low, high in zip(network.layers, counts, cycles["cycles_low"], cycles["cycles_high"], strict=True)
    ]
    return pd.DataFrame(rows).assign(evidence="simulated")


def _summary(variant: str, platform: str, kernels: str, operators: pd.DataFrame, compared: dict) -> pd.DataFrame:
    clock_khz = load_platform(platform).value("clock_mhz") * 1e3
    low, high = int(operators["cycles"].sum()), int(operators["cycles_high"].sum())
    return summary_row(
        variant=variant,
        platform=platform,
        simulator=f"Unicorn, {kernels} kernels",
        instructions=int(operators["instructions"].sum()),
        cycles_low=low,
        cycles_high=high,
        latency_ms_low=low / clock_khz,
        latency_ms_high=high / clock_khz,
        **compared,
        evidence="simulated",
    )


def _cross_check(elf: Path, inputs: np.ndarray, outputs: np.ndarray, timeout_s: float) -> dict:
    """QEMU on the same inputs, the first one last: the layers that it counts are then those that Unicorn counted."""
    logits, instructions = run_qemu(elf, inputs[::-1], timeout_s)
    return {"logits_equal": np.array_equal(logits[::-1], outputs), "instructions": instructions}
