"""What is left of a device's memory and of its heat budget while a model runs, and where the energy goes. Shares of 0 to 1."""

import math
from collections.abc import Mapping

import pandas as pd

from .power import active_power
from .specs import PlatformSpec, load_platform
from .thermal import steady_c, sustained_share
from .utilization import COLUMNS, Triple, utilization_row


def memory_shares(row: Mapping) -> pd.DataFrame:
    """Rows ram and flash (`utilization.COLUMNS`) of a row of `survey.survey_memory`, for a model that runs there.

    Where the upper end of the range exceeds the device, the share ends at 1 and `basis` says that it might not fit.
    No row for a memory without a stated size. ValueError if the model does not fit at all: then it uses nothing.
    """
    spec, rows = load_platform(row["platform"]), []
    for memory in ("ram", "flash"):
        size = spec.value(f"{memory}_kib")
        if math.isinf(size):
            continue
        need = tuple(row[f"{memory}_kib{end}"] for end in ("", "_low", "_high"))
        if need[0] > size:
            raise ValueError(
                f"{row['variant']} needs {need[0]:.0f} KiB of {memory}, {spec.id} has {size:.0f}: it does not run."
            )
        text = f"{need[0]:.0f} KiB, at most {need[2]:.0f}" + (": might not fit" if need[2] > size else "")
        share = (need[0] / size, need[1] / size, min(need[2], size) / size)
        rows.append(utilization_row({**row, "evidence": "modelled"}, memory, share, size, "KiB", text))
    return pd.DataFrame(rows, columns=COLUMNS)


def heat(spec: PlatformSpec, threads: int) -> dict:
    """Steady heat of `threads` cores that infer without a break.

    `power_w`, `budget_w` (what the device sheds at its limit), `share` (value, low, high) of that budget, `sustained`
    (value, low, high) part of the speed that lasts, `steady_c`, `degrees_left`. A device that would exceed its limit
    slows down until it holds it: it then draws the whole budget, share 1, and `sustained` is below 1.
    """
    c, limit = spec.constants, spec.value("throttle_c")
    power, shares, lasting, budgets = active_power(spec, threads), [], [], []
    for end in ("value", "low", "high"):  # as in thermal.estimate_thermal: the hot end has every constant at its hotter end
        watts, resistance, ambient = (getattr(source, end) for source in (power, c["thermal_resistance_k_w"], c["ambient_c"]))
        budgets.append(max(limit - ambient, 0.0) / resistance)
        lasting.append(sustained_share(watts, resistance, ambient, limit))
        drawn = watts * lasting[-1]
        shares.append(min(drawn / budgets[-1], 1.0) if budgets[-1] else 1.0)  # the min takes a rounding, nothing more
    drawn = power.value * lasting[0]
    steady = steady_c(drawn, c["thermal_resistance_k_w"].value, c["ambient_c"].value)
    return {
        "power_w": drawn,
        "budget_w": budgets[0],
        "share": tuple(shares),
        "sustained": (lasting[0], lasting[2], lasting[1]),
        "steady_c": steady,
        "degrees_left": limit - steady,
    }


def heat_share(row: Mapping) -> pd.DataFrame:
    """The row heat (`utilization.COLUMNS`) of a latency row: power drawn / power that the device sheds at its limit, in W."""
    found = heat(load_platform(row["platform"]), row["threads"])
    text = f"{found['power_w']:.3g} W of {row['threads']} core(s), steady at {found['steady_c']:.0f} degC"
    text += f", {found['degrees_left']:.0f} below the limit"
    modelled = {**row, "evidence": "modelled"}
    return pd.DataFrame([utilization_row(modelled, "heat", found["share"], found["budget_w"], "W", text)], columns=COLUMNS)


def thermal_headroom(platforms: list[str]) -> pd.DataFrame:
    """One core beside all cores, without a break: `platform, cores, power_w, budget_w, share, share_low, share_high, steady_c,
    degrees_left, sustained_share, sustained_share_low, sustained_share_high, evidence`."""
    rows = []
    for spec in map(load_platform, platforms):
        for cores in sorted({1, int(spec.value("cores"))}):
            found = heat(spec, cores)
            row = {"platform": spec.id, "cores": cores, "power_w": found["power_w"], "budget_w": found["budget_w"]}
            row |= dict(zip(("share", "share_low", "share_high"), found["share"], strict=True))
            row |= {"steady_c": found["steady_c"], "degrees_left": found["degrees_left"]}
            names = ("sustained_share", "sustained_share_low", "sustained_share_high")
            rows.append(row | dict(zip(names, found["sustained"], strict=True)))
    return pd.DataFrame(rows).assign(evidence="modelled")


def energy_shares(parts: pd.DataFrame) -> pd.DataFrame:
    """Rows energy_compute, energy_memory and energy_static of each pair in a table of `survey.survey_energy_parts`.

    A part's share is least when it is small and the others large, and the other way round: part / (part + others).
    """
    rows = []
    for (variant, platform), group in parts.groupby(["variant", "platform"], sort=False):
        total = {end: group[f"energy_mj{end}"].sum() for end in ("", "_low", "_high")}
        for part in group.itertuples():
            share = _part_share(part, total)
            row = {"variant": variant, "platform": platform, "evidence": part.evidence}
            text = f"{part.energy_mj:.3g} mJ for {part.part}"
            rows.append(utilization_row(row, f"energy_{part.part}", share, total[""], "mJ", text))
    return pd.DataFrame(rows, columns=COLUMNS)


def _part_share(part, total: dict) -> Triple:
    low = part.energy_mj_low / (part.energy_mj_low + total["_high"] - part.energy_mj_high or 1.0)
    high = part.energy_mj_high / (part.energy_mj_high + total["_low"] - part.energy_mj_low or 1.0)
    value = part.energy_mj / total[""] if total[""] else 0.0
    return value, min(low, value), max(high, value)
