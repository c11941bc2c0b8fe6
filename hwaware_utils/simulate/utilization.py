"""Utilisation where a simulator has executed the file: what the kernels did, not what they had to do at least.

Counts are exact, cycles a range (a pipeline model's low and high), so each share has the range of its cycles.
"""

from dataclasses import replace

import pandas as pd

from ..base.errors import UserError
from ..base.results import build_dir
from ..platforms.specs import load_platform
from ..platforms.utilization import COLUMNS, busy_share, utilization_row
from ..platforms.utilization_constants import of_platforms

TABLES = ("simulations", "simulated_work", "simulated_caches", "simulated_operators")
KEY = ["variant", "platform"]


def load_simulated(profile: str) -> dict[str, pd.DataFrame]:
    """The tables TABLES of notebook 04c of this profile; empty ones for those that it has not written."""
    paths = {name: build_dir(profile) / "results" / f"{name}.csv" for name in TABLES}
    if not paths["simulations"].is_file():
        raise UserError(
            f"simulations.csv of profile {profile!r} is missing: run notebooks/04c_simulators.ipynb with this profile first."
        )
    return {name: pd.read_csv(path) if path.is_file() else pd.DataFrame() for name, path in paths.items()}


def simulated_utilization(tables: dict[str, pd.DataFrame], latencies: pd.DataFrame) -> pd.DataFrame:
    """Rows compute, simd, issue, load_ports, memory_bandwidth, cache_hits and unexplained (COLUMNS) of simulations with cycles.

    `tables` as `load_simulated` gives them; `latencies` as `estimate_latencies` gives them, for the work and the roofline
    of each pair. `simd` counts the multiplications that were executed, filled-up tiles included (Cortex-A78 only). The
    traffic through the ports is an upper estimate: each access with the most bytes it can have. Estimates of a compiler,
    which executes nothing, are left out. OverLimit if a simulation beats a limit: then one of them is wrong.
    """
    work = latencies.assign(macs=latencies["throughput_gmacs_s"] * latencies["latency_ms"] * 1e6)
    runs = (
        tables["simulations"]
        .dropna(subset=["cycles_low", "instructions"])
        .merge(work[[*KEY, "precision", "macs", "bound_ms"]], on=KEY)
    )
    runs = runs[runs["platform"].isin(of_platforms("issue_width"))]
    rows = [row for run in runs.itertuples() for row in _of_run(run, tables)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_run(run, tables: dict[str, pd.DataFrame]) -> list[dict]:
    spec = load_platform(run.platform)
    ghz = spec.value("clock_mhz") / 1e3
    cycles = ((run.cycles_low * run.cycles_high) ** 0.5, run.cycles_low, run.cycles_high)
    told = f"{run.simulator}: {run.cycles_low:.3g} to {run.cycles_high:.3g} cycles"
    row = {"variant": run.variant, "platform": run.platform, "evidence": run.evidence}
    width, peak = of_platforms("issue_width")[run.platform], spec.constants["macs_per_cycle_fp32"]
    if run.precision != "fp32":
        peak = spec.constants["macs_per_cycle_int8"]
    memory = spec.constants["memory_bandwidth_gb_s"]
    # resource -> amount, most of it in a cycle, and that limit with its unit
    work = {
        "compute": (run.macs, peak, peak.value * ghz, "GMAC/s"),
        "issue": (run.instructions, width, width.value, width.unit),
    }
    simd = _of(tables["simulated_work"], run)
    if len(simd):
        work["simd"] = (float(simd["simd_macs"].iloc[0]), peak, peak.value * ghz, "GMAC/s")
    counted = _traffic(tables, run)
    if counted:
        ports = spec.constants["cache_bandwidth_bytes_per_cycle"]
        moved = counted["accesses"] * of_platforms("access")[run.platform].value
        work["load_ports"] = (moved, ports, ports.value * ghz, "GB/s")
        work["memory_bandwidth"] = (counted["bytes"], replace(memory, value=memory.value / ghz), memory.value, "GB/s")
    rows = []
    for resource, (amount, most, limit, unit) in work.items():
        busy = tuple(amount / getattr(most, end) for end in ("value", "high", "low"))
        rows.append(utilization_row(row, resource, busy_share(busy, cycles), limit, unit, told, most.evidence))
    if counted:
        hits = 1 - counted["misses"] / counted["accesses"]
        rows.append(utilization_row(row, "cache_hits", (hits,) * 3, counted["accesses"], "accesses", counted["told"]))
    bound = busy_share((run.bound_ms * ghz * 1e6,) * 3, cycles)
    left = (1 - bound[0], 1 - bound[2], 1 - bound[1])
    return [*rows, utilization_row(row, "unexplained", left, run.bound_ms, "ms", f"1 - roofline / time; {told}")]


def _of(table: pd.DataFrame, run) -> pd.DataFrame:
    return table[(table["variant"] == run.variant) & (table["on"] == run.on)] if len(table) else table


def _traffic(tables: dict[str, pd.DataFrame], run) -> dict | None:
    """`accesses`, `misses` (those that went to memory), the `bytes` that these moved, `told`; None if nothing was counted."""
    caches, layers = _of(tables["simulated_caches"], run), _of(tables["simulated_operators"], run)
    if len(caches):
        first, last = caches.iloc[0], caches.iloc[-1]
        told = f"simulated caches: accesses that end before memory; in L1 {100 * first['hit_rate']:.1f} %"
        found = {"accesses": first["accesses"], "misses": last["misses"], "told": told}
    elif len(layers):
        accesses, misses = layers[["loads", "stores"]].sum().sum(), layers[["flash_misses", "ram_misses"]].sum().sum()
        told = "simulated data cache: accesses to flash and SRAM that it serves"
        found = {"accesses": accesses, "misses": misses, "told": told}
    else:
        return None
    return found | {"bytes": float(found["misses"]) * of_platforms("line")[run.platform].value}


def prefer_simulated(modelled: pd.DataFrame, simulated: pd.DataFrame) -> pd.DataFrame:
    """`modelled` with each row replaced for which a simulation has the same variant, platform and resource, and the others
    of the simulation behind it. A pair that is in `modelled` nowhere (it does not fit) stays out."""
    key = [*KEY, "resource"]
    if simulated.empty:
        return modelled.reset_index(drop=True)
    running = set(map(tuple, modelled[KEY].values))
    simulated = simulated[[pair in running for pair in map(tuple, simulated[KEY].values)]]
    taken = set(map(tuple, simulated[key].values))
    rest = modelled[[name not in taken for name in map(tuple, modelled[key].values)]]
    return pd.concat([table for table in (rest, simulated) if len(table)], ignore_index=True)
