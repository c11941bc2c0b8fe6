"""The applications of `params/scenarios.yaml`, checked: what each asks of a model, and what feeds its device."""

import datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..base.errors import UserError, nearest
from ..base.evidence import EVIDENCE
from ..base.results import ROOT
from ..platforms.specs import list_platforms
from .battery import Load, Supply
from .constraints import check_constraints
from .methodology import OBJECTIVES

PATH = ROOT / "params" / "scenarios.yaml"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Constant(Strict):
    """A constant with its birth certificate; the true value lies in `low` .. `high`."""

    value: Annotated[float, Field(ge=0)]
    unit: str
    source: Annotated[str, Field(min_length=1)]
    date: datetime.date
    uncertainty: Annotated[float, Field(ge=0, le=5)]
    evidence: Literal[tuple(EVIDENCE)]

    def at(self, end: str) -> float:
        """The value at one `end`: low, value or high; a share never goes over 1."""
        factor = {"low": 1 / (1 + self.uncertainty), "value": 1.0, "high": 1 + self.uncertainty}[end]
        return min(self.value * factor, 1.0) if self.unit == "share" else self.value * factor


def _within(unit: str, low: float, high: float) -> AfterValidator:
    def check(constant: Constant) -> Constant:
        if constant.unit != unit:
            raise ValueError(f"the unit is {constant.unit!r}, expected {unit!r}")
        if not low <= constant.value <= high:
            raise ValueError(f"the value {constant.value:g} is physically impossible here, expected {low:g} to {high:g} {unit}")
        return constant

    return AfterValidator(check)


class Battery(Strict):
    """A cell, or several as one."""

    voltage_v: Annotated[Constant, _within("V", 0.8, 60)]
    capacity_mah: Annotated[Constant, _within("mAh", 1, 100_000)]
    usable_share: Annotated[Constant, _within("share", 0.1, 1)]
    self_discharge_per_month: Annotated[Constant, _within("share", 0, 0.5)]
    max_current_ma: Annotated[Constant, _within("mA", 0.1, 100_000)]


class Scenario(Strict):
    """One application. `battery` None: it hangs on the mains."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Annotated[str, Field(min_length=1)]
    platform: str
    objective: str
    constraints: dict[str, float]
    inferences_per_hour: Annotated[float, Field(gt=0)]
    awake_ms: Annotated[Constant, _within("ms", 0, 3_600_000)]
    awake_power_mw: Annotated[Constant, _within("mW", 0, 1e6)]
    sleep_power_mw: Annotated[Constant, _within("mW", 0, 1e6)]
    base_power_mw: Annotated[Constant, _within("mW", 0, 1e6)]
    regulator_efficiency: Annotated[Constant, _within("share", 0.1, 1)]
    battery: Battery | None = None

    @field_validator("platform")
    @classmethod
    def platform_exists(cls, platform):
        if platform not in list_platforms():
            raise ValueError(f"unknown device{nearest(platform, list_platforms())}")
        return platform

    @field_validator("objective")
    @classmethod
    def objective_exists(cls, objective):
        if objective not in OBJECTIVES:
            raise ValueError(f"unknown objective{nearest(objective, OBJECTIVES)}")
        return objective

    @field_validator("constraints")
    @classmethod
    def constraints_are_limits(cls, constraints):
        try:
            return check_constraints(constraints)
        except UserError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def awake_leaves_time(self):
        if self.awake_ms.at("high") >= self.period_ms:
            raise ValueError(f"awake_ms leaves no time for an inference every {self.period_ms:g} ms")
        return self

    @property
    def per_s(self) -> float:
        return self.inferences_per_hour / 3600

    @property
    def period_ms(self) -> float:
        return 3.6e6 / self.inferences_per_hour

    def limits(self) -> dict[str, float]:
        """The constraints, and a latency that leaves the device time to be awake for the rest before the next inference."""
        room = self.period_ms - self.awake_ms.at("high")
        return self.constraints | {"latency_ms": min(self.constraints.get("latency_ms", room), room)}

    def load(self, latency_ms: float, energy_mj: float, end: str = "value") -> Load:
        """The load with an inference of this latency and energy, its constants at one `end`: low, value or high."""
        watts = {f"{name}_power_w": getattr(self, f"{name}_power_mw").at(end) / 1e3 for name in ("awake", "sleep", "base")}
        return Load(latency_ms, energy_mj, self.awake_ms.at(end), **watts)

    def supply(self, end: str = "value") -> Supply | None:
        """Cell and regulator with their constants at one `end`, None on the mains. Self-discharge is least at `high`."""
        if self.battery is None:
            return None
        cell = {name: getattr(self.battery, name).at(end) for name in ("voltage_v", "capacity_mah", "usable_share")}
        other = {"low": "high", "value": "value", "high": "low"}[end]
        lost = self.battery.self_discharge_per_month.at(other)
        return Supply(**cell, efficiency=self.regulator_efficiency.at(end), self_discharge_per_month=lost)


class File(Strict):
    scenarios: Annotated[list[Scenario], Field(min_length=1)]


def parse_scenarios(content: object, name: str) -> list[Scenario]:
    """The scenarios in the content of a file; `name` is for the message. UserError says in one sentence what is wrong."""
    try:
        scenarios = File.model_validate(content).scenarios
    except ValidationError as error:
        raise UserError(f"{name}: {_told(error.errors()[0], content)}.") from error
    ids = [scenario.id for scenario in scenarios]
    if twice := [one for one in ids if ids.count(one) > 1]:
        raise UserError(f"{name}: the scenario {twice[0]!r} stands there twice: give each its own id.")
    return scenarios


def load_scenarios(path: Path = PATH) -> tuple[Scenario, ...]:
    """The scenarios of a YAML file. UserError for a file that cannot be read or holds an impossible scenario."""
    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give a file such as params/scenarios.yaml.") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML ({' '.join(str(error).split())[:160]}).") from error
    return tuple(parse_scenarios(content, Path(path).name))


def _told(error: dict, content: object) -> str:
    """Pydantic's first error as a sentence that names the scenario, the place, the value and the nearest key."""
    where, loc, at = [], error["loc"], content
    for part in loc:
        at = at[part] if isinstance(at, list | dict) and (not isinstance(at, dict) or part in at) else None
        where.append(str(at.get("id", part)) if isinstance(part, int) and isinstance(at, dict) else str(part))
    place = ".".join(where[1:]) or "the file"
    if error["type"] == "extra_forbidden":
        owner = File if len(loc) == 1 else Scenario if len(loc) == 3 else Battery if loc[-2] == "battery" else Constant
        return f"{place}: {str(loc[-1])!r} is no key here{nearest(loc[-1], owner.model_fields)}".rstrip(".")
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    given = "" if isinstance(error["input"], dict | list) else f" = {error['input']!r}"
    if "valid dictionary or instance" in message:
        return f"{place} holds no scenarios: expected a list `scenarios:` of mappings"
    return f"{place}{given}: {message[0].lower() + message[1:]}"
