"""What heat leaves of an application: at its own rate, and flat out."""

import pandas as pd

from ..platforms.specs import load_platform
from ..platforms.thermal import estimate_thermal
from .applications import SUPPLY_END, load_at
from .battery import power_parts_w


def estimate_heat(recommended: pd.DataFrame, scenarios, seconds: float = 3600.0) -> pd.DataFrame:
    """What heat leaves of each decided scenario: at its own rate and flat out, one inference behind the other.

    `scenario, platform, variant, power_w, temperature_c, temperature_c_low, temperature_c_high, limit_c` after `seconds` at its
    own rate; `flat_out_w, flat_out_share, flat_out_share_low, flat_out_share_high, flat_out_per_s`: the share of the full rate
    that can be kept up for ever; `evidence`. All that the device draws warms it, regulator included.
    """
    known, rows = {scenario.id: scenario for scenario in scenarios}, []
    for _, row in recommended[recommended["decided"]].iterrows():
        scenario, spec = known[row["scenario"]], load_platform(row["platform"])
        loads = {end: load_at(row, scenario, end) for end in SUPPLY_END}
        if loads["high"].duty(scenario.per_s) > 1:
            continue
        own, flat = {}, {}
        for end in SUPPLY_END:
            efficiency = scenario.regulator_efficiency.at(SUPPLY_END[end])
            own[end] = sum(power_parts_w(loads[end], scenario.per_s, efficiency).values())
            flat[end] = sum(power_parts_w(loads[end], loads[end].max_per_s * (1 - 1e-9), efficiency).values())
        course, most = (
            estimate_thermal(spec, p["value"], seconds, 2, power_w_low=p["low"], power_w_high=p["high"]).iloc[-1]
            for p in (own, flat)
        )
        temperatures = ["temperature_c", "temperature_c_low", "temperature_c_high", "limit_c"]
        shares = {f"flat_out_share{s}": most[f"sustained_share{s}"] for s in ("", "_low", "_high")}
        rows.append(
            {"scenario": row["scenario"], "platform": row["platform"], "variant": row["variant"], "power_w": own["value"]}
            | {name: course[name] for name in temperatures}
            | {"flat_out_w": flat["value"], **shares, "flat_out_per_s": most["sustained_share"] * loads["value"].max_per_s}
            | {"evidence": "modelled"}
        )
    return pd.DataFrame(rows)
