"""One search as data: the space, the platform, what is sought and the surrogate that answers. Pickled to every worker."""

import hashlib
import json
from dataclasses import astuple, dataclass, replace

import pandas as pd

from ...base.errors import UserError, nearest
from ...platforms.specs import load_platform
from ...study.exploration_points import HIGH, LOW, Point
from ...study.recipe import Recipe
from .candidates import predict_accuracy
from .space import NEEDS, point_table
from .surrogate import Surrogate

STEP = 0.05  # of a share of channels: finer steps round to the same networks
FORMATS = ("fp32", "int8")


@dataclass(frozen=True)
class Search:
    """What one exploration asks. `loss` is `candidates.int8_loss`; `hand_made` are tried first."""

    platform: str
    start: Recipe
    surrogate: Surrogate
    loss: tuple[float, float, int]
    resolutions: tuple[int, ...]
    hand_made: tuple[Point, ...] = ()
    minimise: tuple[str, ...] = ("latency_ms",)
    threads: int = 1
    name: str = ""

    @property
    def study_name(self) -> str:
        """What the study is called in its storage."""
        return self.name or f"explore-{self.platform}"

    @property
    def formats(self) -> tuple[str, ...]:
        """The number formats of the search that the platform's runtime executes. UserError when it is none of them."""
        spec = load_platform(self.platform)
        able = tuple(name for name in FORMATS if spec.runs(name))
        if not able:
            raise UserError(f"{self.platform} runs neither {' nor '.join(FORMATS)} models: explore another platform.")
        return able

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with anything that changes an answer."""
        model, step = self.surrogate, self.surrogate.fidelity
        numbers = (*model.coefficients, model.floor, *astuple(step), *self.loss)
        asked = (self.platform, self.start.id, self.resolutions, self.threads, self.minimise, model.features)
        facts = [asked, [round(float(x), 9) for x in numbers]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]

    def suggest(self, trial) -> tuple[Point, str]:
        """A point and a number format, asked of an Optuna trial."""
        shares = [
            trial.suggest_float(name, low, high, step=STEP)
            for name, low, high in zip(("expansion", "stream", "head"), LOW, HIGH, strict=True)
        ]
        resolution = trial.suggest_categorical("resolution", list(self.resolutions))
        point = Point(*(round(share, 4) for share in shares), resolution, trial.suggest_categorical("taught", [True, False]))
        return point, trial.suggest_categorical("precision", list(self.formats))

    def enqueued(self) -> list[dict]:
        """The hand-made networks as an Optuna trial's parameters, in every number format."""
        names = ("expansion", "stream", "head", "resolution", "taught")
        points = [{name: getattr(point, name) for name in names} for point in self.hand_made]
        return [point | {"precision": precision} for precision in self.formats for point in points]

    def evaluate(self, point: Point, precision: str) -> dict:
        """accuracy (with `_low`, `_high`, in that number format), NEEDS, macs, parameters, ram_excess and flash_excess
        (share of the device beyond its limit, negative when it fits)."""
        row = point_table([point], self.start, self.platform, precision, self.threads)
        accuracies = predict_accuracy(self.surrogate, row, self.loss).iloc[0]
        prefix = "int8_" if precision == "int8" else ""
        answer = {name: float(accuracies[f"{prefix}{name}"]) for name in ("accuracy", "accuracy_low", "accuracy_high")}
        answer |= {name: float(row[name][0]) for name in (*NEEDS, "macs", "parameters")}
        spec = load_platform(self.platform)
        return answer | {f"{kind}_excess": answer[f"{kind}_kib"] / spec.value(f"{kind}_kib") - 1 for kind in ("ram", "flash")}

    def with_objectives(self, names: list[str]) -> "Search":
        """The same search for the least of these (of NEEDS) beside the best accuracy. UserError for an unknown one."""
        for name in names:
            if name not in NEEDS:
                raise UserError(f"objective {name!r} is unknown{nearest(name, NEEDS)}")
        return replace(self, minimise=tuple(names))


def as_table(rows: list[dict]) -> pd.DataFrame:
    """Answers as a table with evidence."""
    return pd.DataFrame(rows).assign(evidence="modelled")
