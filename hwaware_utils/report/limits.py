"""How wrong each model was when it was checked: one table from the four validations."""

import pandas as pd

COLUMNS = ["model", "checks", "mean_error_percent", "worst_error_percent", "within_10_percent", "in_interval", "held_back",
           "evidence"]  # fmt: skip
SPLITS = {
    "leave_one_out": "each published row from the others",
    "leave_one_alpha_out": "each width from the others",
    "leave_one_geometry_out": "each geometry from the others",
    "v1_to_v2": "MobileNetV2 from MobileNetV1",
    "leave one geometry out": "each geometry from the others",
    "leave one alpha out": "each width from the others",
}


def model_errors(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a check: model, checks (numbers compared), mean_error_percent, worst_error_percent, within_10_percent,
    in_interval (shares), held_back (what the fit had not seen), evidence.

    `tables` holds some of platform_errors, cortex_a78_validation, memory_validation, energy_validation; the others are
    left out. The errors are absolute and relative to what was published.
    """
    parts = [part(tables[name]) for name, part in _PARTS.items() if name in tables]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _latency(errors: pd.DataFrame) -> pd.DataFrame:
    threads = errors["threads"].map({1: "1 thread"}).fillna(errors["threads"].astype(str) + " threads")
    return pd.DataFrame({
        "model": "latency, " + errors["platform"] + " " + errors["precision"] + ", " + threads,
        "held_back": errors["split"].replace(SPLITS),
        "checks": errors["rows"],
        "mean_error_percent": errors["mean_abs_percent_error"],
        "worst_error_percent": errors["max_abs_percent_error"],
        "within_10_percent": errors["within_10_percent"],
        "in_interval": errors["coverage_90"],
        "evidence": errors["evidence"],
    })  # fmt: skip


def _simulated(checks: pd.DataFrame) -> pd.DataFrame:
    """Nothing is fitted in the simulator, so nothing needs to be held back."""
    table = checks.assign(model="latency, simulated Cortex-A78 " + checks["precision"], held_back="nothing was fitted")
    return _summarise(table, "inside")


def _memory(checks: pd.DataFrame) -> pd.DataFrame:
    names = checks["what"].replace({"ram": "RAM", "flash": "flash"}) + ", " + checks["runtime"]
    return _summarise(checks.assign(model=names, held_back=checks["split"].replace(SPLITS)), "covered")


def _energy(checks: pd.DataFrame) -> pd.DataFrame:
    """One row a kind of board (the first word of its name): submissions write the rest in several ways."""
    boards = checks["platform"].str.split(r"[-_ ]", regex=True).str[0]
    return _summarise(checks.assign(model="energy, " + boards, held_back=checks["split"].replace(SPLITS)), "covered")


def _summarise(checks: pd.DataFrame, inside: str) -> pd.DataFrame:
    """One row for each model and way of holding back."""
    table = checks.assign(error=100 * checks["relative_error"].abs(), inside=checks[inside].astype(bool))
    groups = table.groupby(["model", "held_back"], sort=False)
    result = groups.agg(
        checks=("error", "size"), mean_error_percent=("error", "mean"), worst_error_percent=("error", "max"),
        within_10_percent=("error", lambda errors: (errors <= 10).mean()), in_interval=("inside", "mean"),
        evidence=("evidence", "first"),
    )  # fmt: skip
    return result.reset_index()


_PARTS = {
    "platform_errors": _latency,
    "cortex_a78_validation": _simulated,
    "memory_validation": _memory,
    "energy_validation": _energy,
}
