"""What is known about each platform: `params/platforms/<id>.yaml`, one birth certificate for every constant."""

import datetime
import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import pandas as pd
import yaml

from ..base.errors import UserError, nearest
from ..base.evidence import EVIDENCE
from ..base.results import ROOT
from .host import detect_constants
from .latency_entries import check_entries

FOLDER = ROOT / "params" / "platforms"

# Unit and physically possible range of each constant, for application processors and for microcontrollers.
# Narrower than a factor of 1000, so that a slip of a unit prefix is refused whatever the value.
BOUNDS = {
    "clock_mhz": ("MHz", (300, 7000), (16, 1500)),
    "cores": ("cores", (1, 256), (1, 8)),
    "macs_per_cycle_fp32": ("MAC/cycle/core", (1, 128), (0.05, 8)),
    "macs_per_cycle_int8": ("MAC/cycle/core", (2, 1024), (0.1, 64)),
    "cache_bandwidth_bytes_per_cycle": ("B/cycle/core", (4, 256), (1, 64)),
    "last_level_cache_kib": ("KiB", (256, 250000), (4, 3999)),
    "memory_bandwidth_gb_s": ("GB/s", (1, 999), (0.02, 19)),
    "ram_kib": ("KiB", (262144, 262143999), (20, 16384)),
    "flash_kib": ("KiB", (4194304, 4194303999), (128, 65536)),
    "power_one_thread_w": ("W", (0.2, 199), (0.005, 4.9)),
    "power_all_cores_w": ("W", (0.5, 499), (0.005, 4.9)),
    "thread_spread": ("ratio", (1, 10), (1, 10)),
    "serial_share": ("ratio", (0.002, 1), (0.002, 1)),
    "thermal_resistance_k_w": ("K/W", (0.1, 99), (2, 500)),
    "heat_capacity_j_k": ("J/K", (20, 10000), (0.05, 49)),
    "throttle_c": ("degC", (35, 120), (60, 150)),
    "ambient_c": ("degC", (5, 60), (5, 60)),
}
# An NPU lies within a microcontroller's ranges but for these.
NPU_BOUNDS = {"macs_per_cycle_int8": (32, 4096), "last_level_cache_kib": (64, 16384)}
OPTIONAL = {"flash_kib", "serial_share", "thermal_resistance_k_w", "heat_capacity_j_k", "throttle_c", "ambient_c"}
# What a class of platform does without: a microcontroller's power comes from published energy (platforms/energy.py), an
# NPU has no float pipes.
NOT_NEEDED = {
    "application": set(),
    "microcontroller": {"power_one_thread_w", "power_all_cores_w"},
    "npu": {"power_one_thread_w", "power_all_cores_w", "macs_per_cycle_fp32"},
}

# What says which board and runtime this is; `memory_runtime` is one of params/models/memory.yaml.
IDENTITY = ("id", "title", "board", "core", "runtime", "runtime_version", "memory_runtime")

# Precision names of the project -> the arithmetic that a platform lists in its YAML.
ARITHMETIC = {name: name for name in ("fp32", "fp16", "dynamic", "int8", "mixed")} | {"int8_ptq": "int8", "int8_qat": "int8"}


@dataclass(frozen=True)
class Quantity:
    """A constant with its birth certificate; the true value lies in `low` .. `high`."""

    value: float
    unit: str
    source: str
    date: str
    uncertainty: float
    evidence: str
    detected: bool = False

    @property
    def low(self) -> float:
        return self.value / (1 + self.uncertainty)

    @property
    def high(self) -> float:
        return self.value * (1 + self.uncertainty)


@dataclass(frozen=True)
class PlatformSpec:
    """One board with one core type, one runtime and one version of it: change any of them and it is another platform."""

    id: str
    title: str
    kind: str
    board: str
    core: str
    runtime: str
    runtime_version: str
    memory_runtime: str
    constants: dict[str, Quantity]
    precisions: tuple[str, ...] = ()
    energy_rows: dict[str, str] = field(default_factory=dict)
    latency: tuple[dict, ...] = field(default=(), repr=False)

    def value(self, name: str) -> float:
        """The value of a constant in the unit that ends its name; `inf` for a limit that the platform does not have."""
        return self.constants[name].value if name in self.constants else math.inf

    def arithmetics(self) -> tuple[str, ...]:
        """The arithmetics that the runtime executes, in the order of the YAML."""
        return self.precisions or tuple(dict.fromkeys(entry["precision"] for entry in self.latency))

    def runs(self, precision: str) -> bool:
        """True if the runtime executes models of this precision. UserError for a name that is no precision."""
        if precision not in ARITHMETIC:
            raise UserError(f"precision {precision!r} is unknown{nearest(precision, ARITHMETIC)}")
        # A mixed model needs both the float and the integer kernels of one interpreter.
        needed = {"fp32", "int8", "dynamic"} if precision == "mixed" else {ARITHMETIC[precision]}
        return needed <= set(self.arithmetics())

    def with_clock(self, clock_mhz: float) -> "PlatformSpec":
        """The same core at another clock."""
        constants = self.constants | {"clock_mhz": replace(self.constants["clock_mhz"], value=clock_mhz)}
        return replace(self, constants=constants)

    def to_frame(self) -> pd.DataFrame:
        """A row per constant: `platform, constant, value, low, high, unit, source, date, uncertainty, evidence`."""
        rows = [
            {"platform": self.id, "constant": name, "value": q.value, "low": q.low, "high": q.high, "unit": q.unit}
            | {"source": q.source, "date": q.date, "uncertainty": q.uncertainty, "evidence": q.evidence}
            for name, q in self.constants.items()
        ]
        return pd.DataFrame(rows)


def list_platforms() -> list[str]:
    """Ids of all platforms that have a YAML file."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@lru_cache(maxsize=64)
def load_platform(platform: str) -> PlatformSpec:
    """The specification of a platform id. UserError with the nearest id if there is none, or naming a faulty constant."""
    if platform not in list_platforms():
        raise UserError(f"platform {platform!r} is unknown{nearest(platform, list_platforms())}")
    path = FOLDER / f"{platform}.yaml"
    spec = parse_platform(yaml.safe_load(path.read_text()), path)
    if spec.id != platform:
        raise UserError(f"{path.name}: id {spec.id!r} must be the file's name: write `id: {platform}`.")
    return spec


def parse_platform(content: dict, path: Path | str) -> PlatformSpec:
    """Build and check a specification from the content of its YAML; `path` is for the error message."""
    name = Path(path).name
    missing = {*IDENTITY, "class", "constants"} - set(content)
    if missing:
        raise UserError(f"{name}: {', '.join(sorted(missing))} is missing: say which board and runtime this is.")
    kind = content["class"]
    if kind not in NOT_NEEDED:
        raise UserError(f"{name}: {kind!r} is no class of platforms{nearest(kind, NOT_NEEDED)}")
    lacking = set(BOUNDS) - OPTIONAL - NOT_NEEDED[kind] - set(content["constants"])
    if lacking:
        raise UserError(f"{name}: the constants {', '.join(sorted(lacking))} are missing.")
    constants = {key: read_quantity(key, entry, kind, name) for key, entry in content["constants"].items()}
    if any(q.detected for q in constants.values()):
        detected = detect_constants(content.get("instruction_sets", ()))
        for key, (value, source) in detected.items():
            # A virtual machine reports its base clock, which no core under load keeps to.
            value = max(value, constants[key].value) if key == "clock_mhz" else value
            constants[key] = replace(constants[key], value=value, source=source)
    identity = {key: str(content[key]) for key in IDENTITY}
    tuples = {"precisions": tuple(content.get("precisions", ())), "latency": check_entries(content.get("latency", ()), name)}
    for precision in tuples["precisions"]:
        if precision not in ARITHMETIC:
            raise UserError(f"{name}: precisions holds {precision!r}{nearest(precision, ARITHMETIC)}")
    return PlatformSpec(**identity, kind=kind, constants=constants, **tuples, energy_rows=content.get("energy_rows", {}))


def read_quantity(key: str, entry: dict, kind: str, name: str, bounds: dict = BOUNDS) -> Quantity:
    """A constant with its certificate checked; `name` is the file's, for the message. UserError says what is wrong."""
    if key not in bounds:
        raise UserError(f"{name}: {key!r} is no constant of a platform{nearest(key, bounds)}")
    for part in ("value", "unit", "source", "date", "uncertainty", "evidence"):
        if not isinstance(entry, dict) or entry.get(part) in (None, ""):
            raise UserError(f"{name}: {key} has no {part}: a constant needs value, unit, source, date, uncertainty, evidence.")
    unit, application, microcontroller = bounds[key]
    low, high = application if kind == "application" else microcontroller
    low, high = NPU_BOUNDS.get(key, (low, high)) if kind == "npu" else (low, high)
    value = entry["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UserError(f"{name}: {key} = {value!r} is physically impossible: expected {low} to {high} {unit}.")
    if entry["unit"] != unit:
        raise UserError(f"{name}: {key} is given in {entry['unit']!r}: expected {unit!r}.")
    if not isinstance(entry["uncertainty"], int | float) or not 0 <= entry["uncertainty"] <= 5:
        raise UserError(f"{name}: {key} has the uncertainty {entry['uncertainty']!r}: expected a fraction from 0 to 5.")
    if entry["evidence"] not in EVIDENCE:
        raise UserError(f"{name}: {key} has the evidence {entry['evidence']!r}{nearest(entry['evidence'], EVIDENCE)}")
    if not isinstance(entry["date"], datetime.date):
        raise UserError(f"{name}: {key} has the date {entry['date']!r}: expected YYYY-MM-DD.")
    return Quantity(**{**entry, "value": value, "date": entry["date"].isoformat()})
