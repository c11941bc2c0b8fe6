"""Battery life against how often an application infers."""

import pandas as pd

from .applications import SUPPLY_END, load_at
from .battery import battery_life_s, power_parts_w, rates_per_s


def sweep_duty(recommended: pd.DataFrame, scenarios, points: int = 60) -> pd.DataFrame:
    """Battery life against the rate of inferences for each decided scenario with a battery, from once a day to all the time.

    `scenario, variant, inferences_per_hour, life_h, life_h_low, life_h_high, share_inference, evidence`; the rates end where
    the device infers without a pause at the pessimistic end of its latency. The peak current is not looked at here.
    """
    known, rows = {scenario.id: scenario for scenario in scenarios if scenario.battery}, []
    for _, row in recommended[recommended["decided"] & recommended["scenario"].isin(known)].iterrows():
        scenario = known[row["scenario"]]
        loads = {end: load_at(row, scenario, end) for end in SUPPLY_END}
        supplies = {end: scenario.supply(SUPPLY_END[end]) for end in SUPPLY_END}
        for rate in rates_per_s(loads["high"], points=points):
            lives = {end: battery_life_s(loads[end], supplies[end], rate) / 3600 for end in SUPPLY_END}
            parts = power_parts_w(loads["value"], rate, supplies["value"].efficiency, supplies["value"].self_discharge_w)
            rows.append(
                {"scenario": row["scenario"], "variant": row["variant"], "inferences_per_hour": 3600 * rate}
                | {"life_h": lives["value"], "life_h_low": lives["high"], "life_h_high": lives["low"]}
                | {"share_inference": (parts["inference"] + parts["awake"]) / sum(parts.values()), "evidence": "modelled"}
            )
    lives = ["life_h", "life_h_low", "life_h_high"]
    columns = ["scenario", "variant", "inferences_per_hour", *lives, "share_inference", "evidence"]
    return pd.DataFrame(rows, columns=columns)
