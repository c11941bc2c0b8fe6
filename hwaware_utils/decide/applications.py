"""Each application's recommendation and what it does to the battery."""

import math

import pandas as pd

from ..base.errors import UserError
from .battery import PARTS, battery_life_s, check_rate, crossover_per_s, peak_current_ma, power_parts_w
from .methodology import HardwareAwareDesignMethodology
from .scenarios import Scenario

# End of every constant -> the end of a supply with which a life comes out worst (little in the cell), in the middle, best.
SUPPLY_END = {"high": "low", "value": "value", "low": "high"}
CHOSEN = [
    *("variant", "precision", "accuracy", "latency_ms", "latency_ms_low", "latency_ms_high"),
    *("energy_mj", "energy_mj_low", "energy_mj_high"),
]
BATTERY = [
    *("scenario", "platform", "variant", "inferences_per_hour", "duty", "duty_high", "max_per_hour"),
    *("power_mw", "power_mw_low", "power_mw_high", *(f"share_{part}" for part in PARTS)),
    *("life_h", "life_h_low", "life_h_high", "inferences", "inferences_low", "inferences_high", "crossover_per_hour"),
    *("peak_ma", "max_ma", "feasible", "why_not", "evidence"),
]


def recommend_scenarios(methodology: HardwareAwareDesignMethodology, scenarios) -> pd.DataFrame:
    """A row per scenario: `scenario, title, platform, objective, latency_limit_ms, inferences_per_hour, decided, variant,
    precision, accuracy, latency_ms*, energy_mj*, runner_up, rejected, why_not, evidence`.

    `latency_limit_ms` is the user's limit or the room that the period leaves, whichever is less. Where nothing fits, or the
    table holds nothing for the device, `why_not` says so and the numbers are missing.
    """
    return pd.DataFrame([_recommended(methodology, scenario) for scenario in scenarios])


def _recommended(methodology: HardwareAwareDesignMethodology, scenario: Scenario) -> dict:
    limits = scenario.limits()
    row = {"scenario": scenario.id, "title": scenario.title, "platform": scenario.platform, "objective": scenario.objective}
    row |= {"latency_limit_ms": limits["latency_ms"], "inferences_per_hour": scenario.inferences_per_hour}
    nothing = {"decided": False} | dict.fromkeys(CHOSEN, math.nan) | {"variant": "", "precision": ""}
    try:
        answer = methodology.recommend_configuration(scenario.platform, scenario.objective, limits)
    except UserError as error:
        return row | nothing | {"runner_up": "", "rejected": 0, "why_not": str(error), "evidence": "modelled"}
    runner_up = answer.runners_up["variant"].iloc[0] if len(answer.runners_up) else ""
    rejected = {"runner_up": runner_up, "rejected": answer.rejections["variant"].nunique()}
    if answer.choice is None:
        return row | nothing | rejected | {"why_not": answer.sentence(), "evidence": "modelled"}
    chosen = {name: answer.choice.get(name, math.nan) for name in CHOSEN}
    # On this host the latency is measured: the table's own `evidence` is the weakest of a row
    return row | {"decided": True} | chosen | rejected | {"why_not": "", "evidence": answer.choice["evidence"]}


def estimate_batteries(recommended: pd.DataFrame, scenarios) -> pd.DataFrame:
    """A row per decided scenario: how long its battery lasts and where the energy goes.

    `scenario, platform, variant, inferences_per_hour, duty, duty_high, power_mw*` (mean, from the cell or the mains), `life_h*,
    inferences*` (a charge, each with _low and _high), `share_<part>` (of the energy drawn, sum 1), `max_per_hour,
    crossover_per_hour` (sleep and the rest take as much as inferring; missing beyond `max_per_hour`), `peak_ma, max_ma,
    feasible, why_not, evidence`. Without a battery no life; where the device cannot keep up or the cell cannot deliver the
    peak, held against the pessimistic end, no life either and `why_not` says why.
    """
    known = {scenario.id: scenario for scenario in scenarios}
    decided = recommended[recommended["decided"]]
    return pd.DataFrame([_battery(row, known[row["scenario"]]) for _, row in decided.iterrows()], columns=BATTERY)


def load_at(row: pd.Series, scenario: Scenario, end: str):
    """The load of a recommended row at one end; a latency without an interval stands for both ends."""
    suffix = "" if end == "value" else f"_{end}"
    latency, energy = (
        row[name] if pd.isna(row.get(f"{name}{suffix}")) else row[f"{name}{suffix}"] for name in ("latency_ms", "energy_mj")
    )
    return scenario.load(float(latency), float(energy), end)


def _battery(row: pd.Series, scenario: Scenario) -> dict:
    loads = {end: load_at(row, scenario, end) for end in SUPPLY_END}
    supplies = {end: scenario.supply(SUPPLY_END[end]) for end in SUPPLY_END}
    load, supply = loads["value"], supplies["value"]
    told = {name: row[name] for name in ("scenario", "platform", "variant", "inferences_per_hour")}
    told |= {"duty": load.duty(scenario.per_s), "duty_high": loads["high"].duty(scenario.per_s)}
    told |= {"max_per_hour": 3600 * load.max_per_s}
    why_not, peak = _why_not(loads["high"], supplies["high"], scenario)
    if why_not:
        return told | peak | {"feasible": False, "why_not": why_not, "evidence": "modelled"}
    for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
        parts = _parts(loads[end], supplies[end], scenario, SUPPLY_END[end])
        told[f"power_mw{suffix}"] = 1e3 * sum(parts.values())
        if end == "value":
            told |= {f"share_{part}": parts[part] / sum(parts.values()) for part in PARTS}
    if supply is not None:
        for end, suffix in (("value", ""), ("high", "_low"), ("low", "_high")):
            life_s = battery_life_s(loads[end], supplies[end], scenario.per_s)
            told |= {f"life_h{suffix}": life_s / 3600, f"inferences{suffix}": life_s * scenario.per_s}
        crossover = crossover_per_s(load, supply)
        told["crossover_per_hour"] = 3600 * crossover if crossover <= load.max_per_s else math.nan
    return told | peak | {"feasible": True, "why_not": "", "evidence": "modelled"}


def _parts(load, supply, scenario: Scenario, end: str) -> dict[str, float]:
    lost = supply.self_discharge_w if supply else 0.0
    return power_parts_w(load, scenario.per_s, scenario.regulator_efficiency.at(end), lost)


def _why_not(load, supply, scenario: Scenario) -> tuple[str, dict]:
    """Why this load cannot be fed, '' if it can; and the current that it asks of the cell at its peak."""
    peak = {"peak_ma": math.nan, "max_ma": math.nan}
    try:
        check_rate(load, scenario.per_s)
    except UserError as error:
        return str(error), peak
    if supply is None:
        return "", peak
    watts = max(load.energy_mj / load.latency_ms, load.awake_power_w) + load.base_power_w
    peak = {"peak_ma": peak_current_ma(watts, supply), "max_ma": scenario.battery.max_current_ma.at("value")}
    if peak["peak_ma"] <= peak["max_ma"]:
        return "", peak
    sentence = f"the device draws up to {peak['peak_ma']:.0f} mA and the cell gives {peak['max_ma']:.0f} mA: take another cell "
    return sentence + "or a capacitor that feeds the inference", peak


def compare_objectives(methodology: HardwareAwareDesignMethodology, scenarios, objectives: list[str]) -> pd.DataFrame:
    """What another objective would do to each scenario with a battery: `scenario, objective, variant, accuracy, energy_mj,
    life_h, life_h_low, life_h_high, evidence`, a row each where something fits and can be fed."""
    columns = ["scenario", "objective", "variant", "accuracy", "energy_mj", "life_h", "life_h_low", "life_h_high", "evidence"]
    tables = [pd.DataFrame(columns=columns)]
    for objective in objectives:
        asked = [scenario.model_copy(update={"objective": objective}) for scenario in scenarios if scenario.battery]
        recommended = recommend_scenarios(methodology, asked)
        lives = estimate_batteries(recommended, asked).dropna(subset=["life_h"])
        chosen = recommended[["scenario", "objective", "variant", "accuracy", "energy_mj"]]
        tables.append(chosen.merge(lives[["scenario", "life_h", "life_h_low", "life_h_high", "evidence"]]))
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)[columns]
