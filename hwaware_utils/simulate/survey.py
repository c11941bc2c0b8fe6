"""Every file in every simulator: run now, shown as recorded, or not run and why. Never a guess."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ..base.artifacts import sha256
from ..base.errors import UserError, nearest
from ..base.quiet import progress
from ..base.reference import recorded_table
from .comparison import random_inputs

NOT_RUN = ["variant", "simulator", "why", "evidence"]


def _cortex_m7(model: Path, variant: str, inputs):
    from .cortex_m import simulate

    return simulate(model, inputs, variant=variant)


def _cortex_a78(model: Path, variant: str, inputs):
    from .cortex_a import simulate

    return simulate(model, inputs, variant=variant)


def _browser(model: Path, variant: str, inputs):
    from .browser import simulate

    try:
        return simulate(model, inputs, variant=variant)
    except UserError as error:  # WebGPU needs an adapter; what keeps WebAssembly from running too is told again
        run = simulate(model, inputs, accelerators=("wasm",), variant=variant)
        missing = pd.DataFrame([{"variant": variant, "adapter": f"not run: {error}", "evidence": "measured"}])
        return replace(run, webgpu=missing)


def _ethos_u(model: Path, variant: str, inputs):
    from .ethos_u import simulate  # a compiler: it takes no inputs

    return simulate(model, variant=variant)


def _x86_host(model: Path, variant: str, inputs):
    from .x86_host import simulate

    return simulate(model, inputs, variant=variant)


def _renode(model: Path, variant: str, inputs):
    from .renode import simulate

    return simulate(model, inputs, variant=variant)


# What `--on` names, and the number formats that it executes
SIMULATORS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "cortex_m7": (_cortex_m7, ("int8_ptq", "int8_qat")),
    "cortex_a78": (_cortex_a78, ("fp32", "int8_ptq", "int8_qat")),
    "browser": (_browser, ("fp32", "int8_ptq", "int8_qat")),
    "ethos_u": (_ethos_u, ("int8_ptq", "int8_qat")),
    "renode": (_renode, ("int8_ptq",)),
    "x86_host": (_x86_host, ("fp32", "int8_ptq")),
}


# Tables that some simulators give besides their summary; stored as simulated_<name>.csv
DETAILS = ("operators", "mix", "caches", "estimates", "work", "webgpu")


@dataclass
class Survey:
    """`simulations` (contract 3, and `on`, `sha256`), `not_run`, and `details`: a table for each name in DETAILS, with the
    columns variant, on and sha256; empty where no simulator gave it."""

    simulations: pd.DataFrame
    not_run: pd.DataFrame
    details: dict[str, pd.DataFrame]


def run_simulator(name: str, model: Path, variant: str = "", n_inputs: int = 4):
    """What the simulator `name` says of a .tflite file on `n_inputs` random inputs: its result, with `summary`.

    UserError for an unknown name, and in one sentence for whatever keeps the simulator from running.
    """
    if name not in SIMULATORS:
        raise UserError(f"simulator {name!r} is unknown{nearest(name, SIMULATORS)}")
    return SIMULATORS[name][0](Path(model), variant or Path(model).stem, random_inputs(Path(model), n_inputs))


def survey(variants: pd.DataFrame, paths: dict[str, Path], simulators: list[str], live: bool, n_inputs: int = 4) -> Survey:
    """Each variant (columns variant, precision) that a simulator takes, in each of `simulators`, on `n_inputs` random inputs.

    With `live` everything is run that can be; else a row recorded for the very file is shown where there is one, and only
    what nobody has recorded is run. What cannot run is a row of `not_run` with the reason.
    """
    found, missing, details = [], [], {name: [] for name in DETAILS}
    pairs = [(s, v.variant) for s in simulators for v in variants.itertuples() if v.precision in _formats(s)]
    for simulator, variant in progress(pairs, "simulating"):
        known = {"variant": variant, "on": simulator, "sha256": sha256(paths[variant])}
        stored = None if live else _recorded("simulations", known)
        if stored is None:
            try:
                run = run_simulator(simulator, paths[variant], variant, n_inputs)
            except UserError as error:
                missing.append((variant, simulator, str(error), "measured"))
                continue
            stored, tables = run.summary, {name: getattr(run, name, None) for name in DETAILS}
        else:
            tables = {name: _recorded(f"simulated_{name}", known) for name in DETAILS}
        found.append(stored.assign(**known))
        for name, table in tables.items():
            details[name] += [] if table is None or table.empty else [table.assign(**known)]
    return Survey(
        _joined(found), pd.DataFrame(missing, columns=NOT_RUN), {name: _joined(tables) for name, tables in details.items()}
    )


def _formats(simulator: str) -> tuple[str, ...]:
    if simulator not in SIMULATORS:
        raise UserError(f"simulator {simulator!r} is unknown{nearest(simulator, SIMULATORS)}")
    return SIMULATORS[simulator][1]


def _recorded(table: str, known: dict) -> pd.DataFrame | None:
    rows = recorded_table(table, known["sha256"], origin=True)
    rows = None if rows is None else rows[rows["on"] == known["on"]]
    return None if rows is None or rows.empty else rows.assign(evidence=rows["evidence"].replace("simulated", "recorded"))


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def compare_with_model(simulations: pd.DataFrame, latencies: pd.DataFrame) -> pd.DataFrame:
    """Simulated beside modelled latency of the same variant on the same platform; nothing was fitted to either side.

    Columns: variant, platform, simulator, simulated_ms_low, simulated_ms_high, modelled_ms, modelled_ms_low,
    modelled_ms_high, ratio (middle of the simulated range, geometric / modelled), overlap, evidence.
    """
    modelled = latencies[latencies["evidence"] == "modelled"]
    columns = ["variant", "platform", "latency_ms", "latency_ms_low", "latency_ms_high"]
    renamed = modelled[columns].rename(columns=lambda name: name.replace("latency_ms", "modelled_ms"))
    known = simulations.dropna(subset=["latency_ms_low"])
    table = known[["variant", "platform", "simulator", "latency_ms_low", "latency_ms_high", "evidence"]].merge(
        renamed, on=["variant", "platform"]
    )
    table = table.rename(columns=lambda name: name.replace("latency_ms", "simulated_ms"))
    middle = (table["simulated_ms_low"] * table["simulated_ms_high"]) ** 0.5
    low = table["simulated_ms_low"] <= table["modelled_ms_high"]
    return table.assign(
        ratio=middle / table["modelled_ms"], overlap=low & (table["modelled_ms_low"] <= table["simulated_ms_high"])
    )
