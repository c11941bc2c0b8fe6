"""The answer to one question: what to take, what else would do, and what each other configuration breaks.

The parts that cost time (tables with a sentence a row) are made when they are first read.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..base.errors import UserError
from .configurations import METRICS
from .conflicts import conflict_sentence, minimal_conflicts
from .constraints import VIOLATION_COLUMNS, Assessment
from .ranking import costs, describe_objective, order
from .sensitivity import sensitivity


def _of_choice(column: str, divisor: float = 0.0) -> property:
    def read(answer):
        value = answer.choice[column] if answer.choice else None
        return value / divisor if divisor and value is not None else value

    return property(read)


@dataclass(frozen=True)
class Recommendation:
    """The answer for one platform and objective; `answer.accuracy` and `answer["accuracy"]` are the same.

    `choice` is None when nothing fits; then `nearest_miss` names the variant that comes closest, `conflicts` the limits
    that no configuration keeps together, and `sentence()` says both. `candidates` are the platform's configurations.
    """

    platform: str
    objective: str | dict[str, float]
    constraints: dict[str, float]
    candidates: pd.DataFrame
    assessment: Assessment

    @cached_property
    def keys(self) -> list[np.ndarray]:
        """What sorts the candidates, the objective first. Distances are scaled by what runs on the device at all."""
        own = len(self.constraints)
        return costs(self.candidates, self.objective, ~self.assessment.broken[own:].any(axis=0))

    @cached_property
    def ranked(self) -> np.ndarray:
        """Positions in `candidates` of all that keep every limit, best first."""
        return order(self.keys, self.assessment.variants, self.assessment.keeps_all)

    @cached_property
    def choice(self) -> dict | None:
        return self._row(self.ranked[0]) if self.ranked.size else None

    @cached_property
    def runners_up(self) -> pd.DataFrame:
        """What else keeps every limit, best first; with the column `distance` for `balanced` and weights."""
        rows = self.candidates.iloc[self.ranked[1:]].reset_index(drop=True)
        return rows.assign(distance=self.keys[0][self.ranked[1:]]) if self._by_distance else rows

    @cached_property
    def rejections(self) -> pd.DataFrame:
        """A row for each other configuration and constraint that it breaks: `variant, constraint, value, limit, unit,
        excess, relative_excess, sentence`; the constraint is `objective` where that is unknown."""
        told = f"the objective {self.objective_name} needs a value that is unknown for this configuration"
        unknown = self.assessment.variants[self._unranked]
        rows = [{"variant": v, "constraint": "objective", "relative_excess": np.inf, "sentence": told} for v in unknown]
        parts = [self.assessment.violations(), pd.DataFrame(rows, columns=VIOLATION_COLUMNS)]
        return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)

    @cached_property
    def nearest_miss(self) -> dict | None:
        """When nothing fits: the configuration whose worst relative excess is least, with all that it breaks as `why_not`."""
        worst = self.assessment.relative_excess.max(axis=0)
        broken = np.flatnonzero(~self.assessment.keeps_all)
        if self.ranked.size or not broken.size:
            return None
        # Of several that miss by as much, the one with fewer limits broken
        counts = self.assessment.broken.sum(axis=0)
        position = broken[np.lexsort([counts[broken], worst[broken]])[0]]
        why = "; ".join(self.assessment.violations(np.array([position]))["sentence"])
        return self._row(position) | {"why_not": why, "relative_excess": float(worst[position])}

    @cached_property
    def conflicts(self) -> list[tuple[str, ...]]:
        """When nothing fits: the smallest sets of limits that no configuration keeps together; () if none runs at all."""
        return [] if self.assessment.keeps_all.any() else minimal_conflicts(self.assessment, list(self.constraints))

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """What another limit would bring or cost (see `sensitivity.sensitivity`)."""
        return sensitivity(self)

    @property
    def objective_name(self) -> str:
        return describe_objective(self.objective)

    # None when nothing fits; MB is 1e6 bytes and `memory_mb` is RAM, as in the constraints
    model = _of_choice("variant")
    architecture = _of_choice("architecture")
    quantization = _of_choice("precision")
    accuracy = _of_choice("accuracy")
    latency_ms = _of_choice("latency_ms")
    memory_mb = _of_choice("ram_bytes", 1e6)
    size_mb = _of_choice("size_bytes", 1e6)
    energy_mj = _of_choice("energy_mj")

    @property
    def evidence(self) -> dict:
        """How each number of the choice (or of the nearest miss) is known, by metric."""
        shown = self.choice or self.nearest_miss or {}
        own = {metric: shown.get(f"{metric}_evidence") for metric in METRICS if shown}
        return {metric: kind if isinstance(kind, str) and kind else shown["evidence"] for metric, kind in own.items()}

    def __getitem__(self, name: str):
        if not hasattr(self, name):
            raise KeyError(name)
        return getattr(self, name)

    def must_fit(self) -> "Recommendation":
        """Itself. UserError with the whole sentence when nothing fits."""
        if self.choice is None:
            raise UserError(self.sentence())
        return self

    def as_dict(self) -> dict:
        """All of it as plain values for JSON: None for what is unknown, "inf" nowhere."""
        names = ("model", "architecture", "quantization", "accuracy", "latency_ms", "memory_mb", "size_mb", "energy_mj")
        head = {"platform": self.platform, "objective": self.objective_name, "constraints": self.constraints}
        head |= {"fits": self.choice is not None} | {name: self[name] for name in names}
        tables = ("runners_up", "rejections", "sensitivity")
        rest = {"evidence": self.evidence, "numbers": self.to_frame().to_dict("records"), "sentence": self.sentence()}
        rest |= {"nearest_miss": self.nearest_miss, "conflicts": [list(names) for names in self.conflicts]}
        return _plain(head | rest | {name: self[name].to_dict("records") for name in tables})

    def to_frame(self) -> pd.DataFrame:
        """A row per number: `platform, objective, variant, quantity, value, low, high, unit, fits, evidence`."""
        shown = self.choice or self.nearest_miss or {}
        rows = [
            {"platform": self.platform, "objective": self.objective_name, "variant": shown["variant"], "quantity": metric}
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
            miss = self.nearest_miss
            if self._unranked.size:
                fitting = self._unranked.size
                return f"Nothing to rank on {self.platform}: {self.objective_name} is unknown for all {fitting} that fit."
            return (
                f"Nothing fits {self.platform}. The nearest miss is {miss['variant']}: {miss['why_not']}. "
                f"{conflict_sentence(self)}"
            )
        c, known = self.choice, self.evidence
        numbers = (
            f"accuracy {c['accuracy']:.3f} ({known['accuracy']}), latency {_interval(c, 'latency_ms', 'ms')} "
            f"({known['latency_ms']}), RAM {c['ram_bytes'] / 1024:.0f} KiB ({known['ram_bytes']}), flash "
            f"{c['flash_bytes'] / 1024:.0f} KiB ({known['flash_bytes']}), energy {_interval(c, 'energy_mj', 'mJ')} "
            f"({known['energy_mj']})"
        )
        limits = "limits are held against the high end of each interval"
        return f"For {self.objective_name} on {self.platform}: {c['variant']} ({c['precision']}), {numbers}; {limits}."

    @property
    def _by_distance(self) -> bool:
        return isinstance(self.objective, dict) or self.objective == "balanced"

    def _row(self, position: int) -> dict:
        row = self.candidates.iloc[position].to_dict()
        return row | {"distance": float(self.keys[0][position])} if self._by_distance else row

    @property
    def _unranked(self) -> np.ndarray:
        return np.setdiff1d(np.flatnonzero(self.assessment.keeps_all), self.ranked)


def _plain(value):
    """NumPy scalars and missing values as JSON knows them."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _interval(row: dict, column: str, unit: str) -> str:
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    ends = "" if low is None or pd.isna(low) or pd.isna(high) else f" [{low:.3g}, {high:.3g}]"
    return f"{row[column]:.3g} {unit}{ends}"
