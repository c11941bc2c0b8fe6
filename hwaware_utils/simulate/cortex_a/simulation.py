"""A model on a Cortex-A78: LiteRT's own aarch64 kernels executed, counted, timed by pipeline models, compared bit by bit."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from ...base.errors import UserError
from ...platforms.specs import load_platform
from ...workload import load_workload
from ..comparison import check_inputs, compare_outputs, host_outputs, random_inputs
from ..summary import summary_row
from .caches import all_from_memory, cache_table, memory_cycles
from .core import Core, load_core
from .counts import LLVM, count_kernels, count_mix, disassemble, total_instructions
from .cycles import estimate_cycles
from .run import GuestRun, run_guest
from .tiles import filled_macs


@dataclass(frozen=True)
class CortexARun:
    """Every table has a column `evidence`.

    `summary`: a row of simulations.csv. `mix`, `kernels`, `caches`: see counts.py and caches.py (`caches` is empty when
    QEMU loads no plugin). `estimates`: rows low, central, high (`_estimates`). `work`: one row, the executed SIMD MACs
    beside those of the workload table, as they are and with filled tiles. `outputs`: (n, values), the model's type.
    """

    summary: pd.DataFrame
    mix: pd.DataFrame
    kernels: pd.DataFrame
    caches: pd.DataFrame
    estimates: pd.DataFrame
    work: pd.DataFrame
    outputs: np.ndarray


def simulate(
    model: Path,
    inputs: np.ndarray | None = None,
    platform: str = "arm_cortex_a78",
    clock_mhz: float | None = None,
    counter: str = "auto",
    timeout_s: float = 300,
    variant: str = "",
) -> CortexARun:
    """Run the `.tflite` file `model` on `inputs` (n, H, W, C; the model's own type; default 4 random ones), one thread.

    `platform`: arm_cortex_a78 or nvidia_orin_a78ae; `clock_mhz` replaces its clock. `counter`: see run.run_guest. Counts
    are those of the second inference of the first input. UserError in one sentence for a missing or damaged model,
    unfit inputs, a missing tool or guest, a crash, a time-out.
    """
    model, core = Path(model), load_core(platform)
    clock_khz = 1e3 * (core.clock_mhz if clock_mhz is None else clock_mhz)
    if not 1e5 <= clock_khz <= 1e7:
        raise UserError(f"clock_mhz = {clock_mhz!r}: expected 100 to 10000 MHz.")
    inputs = random_inputs(model, 4) if inputs is None else check_inputs(model, inputs)
    workload = load_workload(model)
    guest = run_guest(model, inputs, core, counter, timeout_s)
    texts = disassemble(guest.blocks)
    kernels = count_kernels(guest.blocks, guest.maps, texts)
    simd_macs = int(kernels["simd_macs"].sum())
    dot_products = any(text.startswith(("sdot", "udot")) for text in texts.values())
    peak = load_platform(platform).value("macs_per_cycle_int8" if dot_products else "macs_per_cycle_fp32")
    estimates = _estimates(guest, texts, workload, core, clock_khz).assign(
        simd_utilization=lambda table: simd_macs / table["cycles"] / peak
    )
    identity = {"variant": variant or model.stem, "platform": platform}
    outputs = guest.outputs.reshape(len(inputs), -1)
    low, _, high = estimates.itertuples()
    summary = summary_row(
        **identity,
        simulator=f"QEMU {guest.qemu} ({guest.counter}), LiteRT {metadata.version('ai-edge-litert')}, llvm-mca {LLVM}",
        instructions=total_instructions(guest.blocks),
        cycles_low=round(low.cycles),
        cycles_high=round(high.cycles),
        latency_ms_low=low.latency_ms,
        latency_ms_high=high.latency_ms,
        **compare_outputs(outputs, host_outputs(model, inputs)),
        evidence="simulated",
    )
    macs = {"simd_macs": simd_macs, "workload_macs": int(workload["macs"].sum())}
    macs["filled_macs"] = filled_macs(workload, kernels.loc[kernels["simd_macs"] > 0, "kernel"].tolist())
    work = pd.DataFrame([{**identity, **macs, "peak_macs_per_cycle": peak, "evidence": "simulated"}])
    caches = cache_table(guest.blocks, core)
    return CortexARun(summary, count_mix(guest.blocks, texts), kernels, caches, estimates, work, outputs)


def _estimates(guest: GuestRun, texts: dict, workload: pd.DataFrame, core: Core, clock_khz: float) -> pd.DataFrame:
    """`estimate, core_cycles, memory_cycles, cycles, latency_ms, evidence` for low, central and high; nothing is fitted.

    low: the faster of the two pipeline models, memory hidden behind arithmetic. central: Neoverse N1, whose pipeline is
    the nearer one, memory hidden (the prefetchers' aim). high: the slower one, then all misses one after the other.
    Without counted misses `high` fetches every tensor from memory once: then its evidence is `modelled`.
    """
    cycles = estimate_cycles(guest.blocks, texts)[["neoverse-n1", "neoverse-n2"]].sum()
    l2_misses, l3_misses = (guest.blocks[name].sum(min_count=1) for name in ("l2_misses", "l3_misses"))
    counted = not pd.isna(l2_misses)
    if not counted:
        l2_misses = l3_misses = all_from_memory(workload)
    rows = [
        {"estimate": "low", "core_cycles": cycles.min(), "memory_cycles": 0.0},
        {"estimate": "central", "core_cycles": cycles["neoverse-n1"], "memory_cycles": 0.0},
        {"estimate": "high", "core_cycles": cycles.max(), "memory_cycles": memory_cycles(l2_misses, l3_misses, core)},
    ]
    table = pd.DataFrame(rows)
    table["cycles"] = table["core_cycles"] + table["memory_cycles"]
    table["latency_ms"] = table["cycles"] / clock_khz
    return table.assign(evidence=["simulated", "simulated", "simulated" if counted else "modelled"])
