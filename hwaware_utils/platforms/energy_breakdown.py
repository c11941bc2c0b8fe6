"""Where the energy of an inference goes: arithmetic with its instructions, memory traffic, and the rest.

Operations and bytes are priced with `params/models/energy.yaml` (Horowitz 2014, Jouppi 2021); what the board's power x latency
leaves over is static: leakage, clocks, idle cores, regulators, operators without MACs. So the parts add up to the energy of
`energy.estimate_energy`, and the published power of the board bounds them all. No power of an NPU is published: there the
static power is a constant of its own, and the sum lies within the range of `energy.estimate_energy`.
"""

import pandas as pd

from ..base.errors import UserError
from .energy_constants import load_energy_constants
from .power import active_power
from .specs import ARITHMETIC, PlatformSpec, Quantity, load_platform

COLUMNS = ["platform", "part", "energy_mj", "energy_mj_low", "energy_mj_high", "evidence"]
ENDS = ("value", "low", "high")
MJ_PER_PJ = 1e-9


def energy_breakdown(
    workload: pd.DataFrame, platform: str | PlatformSpec, precision: str, latency_ms: float, threads: int = 1
) -> pd.DataFrame:
    """Three rows, `compute`, `memory` and `static`: `platform, part, energy_mj, energy_mj_low, energy_mj_high, evidence`.

    The parts' `energy_mj` sum to power x latency (NPU: see above). Should the priced operations exceed that, the power,
    which somebody measured, wins: they are scaled down. UserError if the platform does not run the precision or the
    latency is none.
    """
    spec = load_platform(platform) if isinstance(platform, str) else platform
    if not spec.runs(precision):
        raise UserError(f"{spec.id} does not run {precision} models: it runs {', '.join(spec.arithmetics())}.")
    if not latency_ms > 0:
        raise UserError(f"latency {latency_ms!r} ms is no time of an inference: give a number above 0.")
    compute, memory = compute_mj(workload, spec, precision), memory_mj(workload, spec)
    if spec.kind == "npu":
        idle = load_energy_constants("npu")["static_w"]
        static = {end: getattr(idle, end) * latency_ms for end in ENDS}
        parts = {name: tuple(part.values()) for name, part in (("compute", compute), ("memory", memory), ("static", static))}
        return _table(spec, parts)
    power = active_power(spec, threads)
    total = {end: getattr(power, end) * latency_ms for end in ENDS}
    scale = min(1.0, total["value"] / (compute["value"] + memory["value"] or 1.0))
    parts = {}
    for name, part in (("compute", compute), ("memory", memory)):
        value, high = part["value"] * scale, min(part["high"], total["high"])
        parts[name] = (value, min(part["low"], value), max(high, value))
    rest = max(total["value"] - parts["compute"][0] - parts["memory"][0], 0.0)
    low = max(total["low"] - compute["high"] - memory["high"], 0.0)
    high = max(total["high"] - compute["low"] - memory["low"], 0.0)
    parts["static"] = (rest, min(low, rest), max(high, rest))
    return _table(spec, parts)


def _table(spec: PlatformSpec, parts: dict[str, tuple]) -> pd.DataFrame:
    return pd.DataFrame([(spec.id, name, *values, "modelled") for name, values in parts.items()], columns=COLUMNS)


def compute_mj(workload: pd.DataFrame, spec: PlatformSpec, precision: str) -> dict[str, float]:
    """Energy of the MACs and of the instructions that carry them, in mJ: value, low, high."""
    costs = load_energy_constants(spec.kind)
    counts = {"int8": int(workload["macs"].sum()), "fp32": 0}
    arithmetic = ARITHMETIC[precision]
    if arithmetic in ("fp32", "fp16"):
        counts = {"int8": 0, "fp32": counts["int8"]}
    elif arithmetic == "mixed":
        floats = workload["dtype"].str.startswith("float") & ~workload["weight_dtype"].str.startswith(("int", "uint"))
        counts = {"int8": int(workload.loc[~floats, "macs"].sum()), "fp32": int(workload.loc[floats, "macs"].sum())}
    return {end: sum(macs * _pj_per_mac(costs, name, end) for name, macs in counts.items() if macs) * MJ_PER_PJ for end in ENDS}


def _pj_per_mac(costs: dict[str, Quantity], arithmetic: str, end: str) -> float:
    one = getattr(costs[f"mac_{arithmetic}_pj"], end)
    if "instruction_pj" not in costs:  # an NPU fetches no instruction for a MAC
        return one
    return one + getattr(costs["instruction_pj"], end) * getattr(costs[f"instructions_per_mac_{arithmetic}"], end)


def memory_mj(workload: pd.DataFrame, spec: PlatformSpec) -> dict[str, float]:
    """Energy of the compulsory traffic in mJ: every weight and activation once from the near memory, and from the far one
    what does not lie near: all of it on a microcontroller (SRAM and flash), the weights on an NPU, on application cores
    what weights and the largest operator exceed the last-level cache by."""
    costs = load_energy_constants(spec.kind)
    weights, activations = float(workload["weight_bytes"].sum()), float(workload["activation_bytes"].sum())
    cache = spec.value("last_level_cache_kib") * 1024
    largest = float(workload["activation_bytes"].max()) if len(workload) else 0.0
    excess = max(weights + largest - cache, 0.0)
    far = {"microcontroller": weights + activations, "npu": weights, "application": excess}[spec.kind]
    near_pj, far_pj = costs["near_pj_per_byte"], costs["far_pj_per_byte"]
    return {end: ((weights + activations) * getattr(near_pj, end) + far * getattr(far_pj, end)) * MJ_PER_PJ for end in ENDS}
