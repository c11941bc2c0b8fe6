"""An INT8 model on an Ethos-U NPU, as Arm's compiler Vela estimates it: cycles, memory, and where each operator runs.

Vela compiles the model for real (placement, schedule and memory plan are those of the deployed program) but it executes
nothing: cycles come from its own performance model, so they are `modelled`, and it gives no interval for them.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..base.errors import UserError, nearest
from ..base.processes import run
from ..workload import load_workload
from .extras import install_packages, pinned_version, require_packages
from .summary import summary_row

PACKAGE = "ethos-u-vela"
# Platform id -> accelerator, system configuration and memory mode of Vela's own vela.ini (as in params/platforms)
CONFIGURATIONS = {
    "ethos_u55_128": ("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos_u55_256": ("ethos-u55-256", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos_u65_256": ("ethos-u65-256", "Ethos_U65_High_End", "Dedicated_Sram_384KB"),
    "ethos_u85_256": ("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB"),
}
OPERATOR_COLUMNS = {
    "Original Operator": "operator", "NNG Operator": "npu_operator", "Target": "target", "Op Cycles": "cycles",
    "NPU": "npu_cycles", "SRAM AC": "sram_cycles", "DRAM AC": "dram_cycles", "OffFlash AC": "flash_cycles",
    "MAC Count": "macs", "Staging Usage": "staging_bytes", "Name": "name",
}  # fmt: skip


@dataclass(frozen=True)
class EthosURun:
    """`summary`: one row of simulations.csv. `operators`: a row per operator after Vela's graph optimiser.

    `operators` has operator, npu_operator (some become several, fused ones cost 0), target (NPU or CPU), cycles (the
    longest of npu_, sram_, dram_ and flash_cycles, which overlap), macs, utilization (of the MAC array; 0-1),
    staging_bytes, name. `totals`: one row with clock_mhz, macs, utilization, sram_kib, dram_kib, flash_kib,
    npu_cycles, npu_operators, cpu_operators.
    """

    summary: pd.DataFrame
    operators: pd.DataFrame
    totals: pd.DataFrame


def set_up_ethos_u(say=print) -> None:
    """Install Vela (2 MB, pip). UserError when that fails."""
    install_packages(PACKAGE, say=say)


def simulate(model: Path, platform: str = "ethos_u55_128", timeout_s: float = 120, variant: str = "") -> EthosURun:
    """Compile the INT8 `.tflite` file `model` for `platform` (a key of `CONFIGURATIONS`) with Vela.

    Where operators are left to the CPU, cycles and latency of the whole inference are unknown and stay missing: Vela
    knows nothing of the CPU. UserError for an unknown platform, a missing tool, a missing or damaged file, a model
    without INT8 layers, a time-out.
    """
    model = Path(model)
    if platform not in CONFIGURATIONS:
        raise UserError(f"platform {platform!r} is no NPU{nearest(platform, CONFIGURATIONS)}")
    _refuse_float(model)
    require_packages(PACKAGE)
    layers, totals = _compile(model, platform, timeout_s)
    operators = layers.rename(columns=OPERATOR_COLUMNS)[list(OPERATOR_COLUMNS.values())]
    macs_per_cycle = int(CONFIGURATIONS[platform][0].rsplit("-", 1)[1])
    operators["utilization"] = (
        operators["macs"] / (operators["cycles"].where(operators["cycles"] > 0) * macs_per_cycle)
    ).fillna(0)
    placed = operators["target"].value_counts()
    whole = "CPU" not in placed
    row = {
        "clock_mhz": totals["core_clock"] / 1e6,
        "macs": int(totals["nn_macs"]),
        "utilization": totals["nn_macs"] / (totals["cycles_total"] * macs_per_cycle),
        "sram_kib": totals["sram_memory_used"],
        "dram_kib": totals["dram_memory_used"],
        "flash_kib": totals["off_chip_flash_memory_used"],
        "npu_cycles": int(totals["cycles_total"]),
        "npu_operators": int(placed.get("NPU", 0)),
        "cpu_operators": int(placed.get("CPU", 0)),
    }
    cycles = int(totals["cycles_total"]) if whole else None
    latency_ms = 1e3 * totals["cycles_total"] / totals["core_clock"] if whole else None
    summary = summary_row(
        variant=variant or model.stem,
        platform=platform,
        simulator=f"Vela {pinned_version(PACKAGE)} estimate",
        cycles_low=cycles,
        cycles_high=cycles,
        latency_ms_low=latency_ms,
        latency_ms_high=latency_ms,
        evidence="modelled",
    )
    known = {"variant": variant or model.stem, "platform": platform}
    return EthosURun(summary, operators.assign(evidence="modelled"), pd.DataFrame([known | row | {"evidence": "modelled"}]))


def _refuse_float(model: Path) -> None:
    work = load_workload(model)
    layers = work[work["macs"] > 0]
    if not (layers["dtype"] == "int8").any():
        found = ", ".join(sorted(layers["dtype"].unique())) or "none with MACs"
        raise UserError(
            f"{model} has no INT8 layer (found: {found}), and an Ethos-U runs INT8 only: give an int8_ptq or int8_qat."
        )


def _compile(model: Path, platform: str, timeout_s: float) -> tuple[pd.DataFrame, pd.Series]:
    """Vela's two tables: a row per operator, and the totals."""
    accelerator, system, memory = CONFIGURATIONS[platform]
    with tempfile.TemporaryDirectory(prefix="hwaware-vela-") as folder:
        command = [sys.executable, "-m", "ethosu.vela", model.resolve(), "--output-dir", folder, "--verbose-performance"]
        command += ["--accelerator-config", accelerator, "--config", "Arm/vela.ini"]
        command += ["--system-config", system, "--memory-mode", memory]
        run(command, f"Vela on {model.name}", timeout_s, cwd=folder)
        tables = [next(Path(folder).glob(f"*_{name}*.csv"), None) for name in ("per-layer", "summary")]
        if None in tables:
            raise UserError(f"Vela wrote no tables for {model.name}: is it a model that its compiler knows?")
        return pd.read_csv(tables[0]), pd.read_csv(tables[1]).iloc[0]
