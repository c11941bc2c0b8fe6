"""The recommendation: of all configurations of a platform, the best for an objective that breaks no hard constraint.

Hard constraints are the user's, the device's own RAM and flash, and what its runtime executes. Limits are held against
the pessimistic end of each interval (`latency_ms_high`, `energy_mj_high`); objectives rank by the middle values.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..base.errors import UserError, nearest
from ..base.evidence import check_evidence
from ..base.results import load_table
from ..platforms.specs import list_platforms, load_platform
from .constraints import VIOLATION_COLUMNS, check_constraints, find_violations

METRICS = {"accuracy": "", "latency_ms": "ms", "ram_bytes": "B", "flash_bytes": "B", "size_bytes": "B", "energy_mj": "mJ"}
# What each objective sorts by, best first; the later columns only break ties.
OBJECTIVES = {
    "latency": ["latency_ms", "accuracy", "ram_bytes"],
    "memory": ["ram_bytes", "size_bytes", "accuracy"],
    "energy": ["energy_mj", "accuracy", "latency_ms"],
    "accuracy": ["accuracy", "latency_ms", "ram_bytes"],
    "balanced": ["distance", "accuracy"],
}
REQUIRED = {"variant", "architecture", "precision", "platform", *METRICS}


@dataclass(frozen=True)
class Recommendation:
    """The answer for one platform and objective. `choice` is None when nothing fits; then `nearest_miss` names the variant
    that comes closest and `sentence()` says what it breaks. Tables: `runners_up` (best first), `rejections` (a row per
    configuration and broken constraint: `variant, constraint, value, limit, unit, excess, relative_excess, sentence`)."""

    platform: str
    objective: str
    constraints: dict
    choice: dict | None
    runners_up: pd.DataFrame
    rejections: pd.DataFrame
    nearest_miss: dict | None = None

    @property
    def evidence(self) -> dict:
        """How each number of the choice (or of the nearest miss) is known, by metric."""
        shown = self.choice or self.nearest_miss or {}
        own = {metric: shown.get(f"{metric}_evidence") for metric in METRICS if shown}
        return {metric: kind if isinstance(kind, str) and kind else shown["evidence"] for metric, kind in own.items()}

    def to_frame(self) -> pd.DataFrame:
        """A row per number: `platform, objective, variant, quantity, value, low, high, unit, fits, evidence`."""
        shown = self.choice or self.nearest_miss or {}
        rows = [
            {"platform": self.platform, "objective": self.objective, "variant": shown["variant"], "quantity": metric}
            | {"value": shown[metric], "low": shown.get(f"{metric}_low", np.nan), "high": shown.get(f"{metric}_high", np.nan)}
            | {"unit": unit, "fits": self.choice is not None, "evidence": self.evidence[metric]}
            for metric, unit in METRICS.items()
            if shown
        ]
        columns = ["platform", "objective", "variant", "quantity", "value", "low", "high", "unit", "fits", "evidence"]
        return pd.DataFrame(rows, columns=columns)

    def sentence(self) -> str:
        """The answer in one or two sentences, each number with its evidence."""
        if self.choice is None:
            if self.nearest_miss is None:
                return f"Nothing to recommend on {self.platform}: the table has no configuration for it."
            miss = self.nearest_miss
            return f"Nothing fits {self.platform}. The nearest miss is {miss['variant']}: {miss['why_not']}."
        c, known = self.choice, self.evidence
        numbers = (
            f"accuracy {c['accuracy']:.3f} ({known['accuracy']}), latency {_interval(c, 'latency_ms', 'ms')} "
            f"({known['latency_ms']}), RAM {c['ram_bytes'] / 1024:.0f} KiB ({known['ram_bytes']}), flash "
            f"{c['flash_bytes'] / 1024:.0f} KiB ({known['flash_bytes']}), energy {_interval(c, 'energy_mj', 'mJ')} "
            f"({known['energy_mj']})"
        )
        limits = "limits are held against the high end of each interval"
        return f"For {self.objective} on {self.platform}: {c['variant']} ({c['precision']}), {numbers}; {limits}."


class HardwareAwareDesignMethodology:
    """Recommends a configuration from a table of them (or from `configurations.csv` of a profile, written by 05_pareto).

    Columns needed: variant, architecture, precision, platform, accuracy (0-1), latency_ms, ram_bytes, flash_bytes,
    size_bytes, energy_mj, evidence; used where present: latency_ms_low/_high, energy_mj_low/_high, <metric>_evidence.
    """

    def __init__(self, configurations: pd.DataFrame | str):
        table = configurations
        if isinstance(configurations, str):
            table = load_table("configurations", configurations, needs="05_pareto")
        missing = REQUIRED - set(table.columns)
        if missing:
            raise UserError(f"the table of configurations lacks the columns {', '.join(sorted(missing))}: add them.")
        check_evidence(table, "configurations")
        self.configurations = table.reset_index(drop=True)

    def recommend_configuration(
        self, platform: str, objective: str = "balanced", custom_constraints: dict[str, float] | None = None
    ) -> Recommendation:
        """The best configuration for `objective` (latency, memory, energy, accuracy, balanced) that breaks nothing.

        `custom_constraints`: latency_ms, memory_mb (RAM), size_mb (file), energy_mj (at most), accuracy (at least).
        UserError for an unknown platform, objective or constraint, or a negative limit; never a choice that breaks one.
        """
        if objective not in OBJECTIVES:
            raise UserError(f"objective {objective!r} is unknown{nearest(objective, OBJECTIVES)}")
        if platform not in list_platforms():
            raise UserError(f"platform {platform!r} is unknown{nearest(platform, list_platforms())}")
        limits, spec = check_constraints(custom_constraints), load_platform(platform)
        table = self.configurations[self.configurations["platform"] == platform].reset_index(drop=True)
        if table.empty:
            known = ", ".join(sorted(self.configurations["platform"].astype(str).unique()))
            raise UserError(f"the table holds no configuration for {platform}: it holds {known or 'nothing'}.")
        broken = find_violations(table, spec, limits)
        feasible = table[~table.index.isin(broken.index)]
        ranked = rank(feasible, objective)
        choice = ranked.iloc[0].to_dict() if len(ranked) else None
        miss = None if choice else _nearest_miss(table, broken)
        parts = [part for part in (broken, _unranked(feasible, objective)) if len(part)]
        rejected = pd.concat(parts, ignore_index=True) if parts else broken
        return Recommendation(platform, objective, limits, choice, ranked.iloc[1:].reset_index(drop=True), rejected, miss)


def rank(table: pd.DataFrame, objective: str) -> pd.DataFrame:
    """Configurations, best first; those whose objective is unknown are left out. `balanced` adds the column `distance`.

    distance = root mean square of (accuracy, latency, RAM, energy), each scaled to 0 (best) .. 1 (worst of the table).
    """
    return _ordered(table, objective).reset_index(drop=True)


def _ordered(table: pd.DataFrame, objective: str) -> pd.DataFrame:
    ranked = table.assign(distance=_distance(table)) if objective == "balanced" else table
    keys = OBJECTIVES[objective]
    ascending = [*(key != "accuracy" for key in keys), True]
    return ranked[ranked[keys[0]].notna()].sort_values([*keys, "variant"], ascending=ascending, kind="stable")


def _distance(table: pd.DataFrame) -> pd.Series:
    costs = pd.DataFrame({m: table[m].astype(float) for m in ("latency_ms", "ram_bytes", "energy_mj")})
    costs["accuracy"] = -table["accuracy"].astype(float)
    span = (costs.max() - costs.min()).replace(0, 1.0)
    return (((costs - costs.min()) / span) ** 2).mean(axis=1, skipna=False) ** 0.5


def _unranked(feasible: pd.DataFrame, objective: str) -> pd.DataFrame:
    unknown = feasible.drop(_ordered(feasible, objective).index)["variant"]
    sentence = f"the objective {objective} needs a value that is unknown for this configuration"
    rows = [{"variant": v, "constraint": "objective", "relative_excess": np.inf, "sentence": sentence} for v in unknown]
    return pd.DataFrame(rows, columns=VIOLATION_COLUMNS)


def _nearest_miss(table: pd.DataFrame, broken: pd.DataFrame) -> dict | None:
    """The configuration whose worst relative excess is smallest, with all that it breaks as `why_not`."""
    if broken.empty:
        return None
    worst = broken.groupby(level=0)["relative_excess"].max()
    position = worst.index[np.argmin(worst.to_numpy())]
    why = "; ".join(broken.loc[[position], "sentence"])
    return table.loc[position].to_dict() | {"why_not": why, "relative_excess": float(worst[position])}


def _interval(row: dict, column: str, unit: str) -> str:
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    ends = "" if low is None or pd.isna(low) or pd.isna(high) else f" [{low:.3g}, {high:.3g}]"
    return f"{row[column]:.3g} {unit}{ends}"
