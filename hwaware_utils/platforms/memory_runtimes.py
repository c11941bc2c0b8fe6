"""What each runtime adds to a network: `params/models/memory.yaml`, checked like the constants of a platform."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import yaml

from ..base.errors import UserError, nearest
from ..base.results import ROOT
from .specs import PlatformSpec, Quantity, load_platform, read_quantity

PATH = ROOT / "params" / "models" / "memory.yaml"

# Unit and physically possible range, for application processors and for microcontrollers and NPUs.
BOUNDS = {
    "ram_constant_kib": ("KiB", (500, 200000), (0, 300)),
    "ram_per_operator_kib": ("KiB/operator", (0, 100), (0, 10)),
    "second_pool_share": ("ratio", (0, 0), (0, 1)),
    "weight_copies": ("ratio", (1, 3), (0, 0)),
    "ram_spread": ("ratio", (0.005, 3), (0.005, 3)),
    "code_constant_kib": ("KiB", (0, 100000), (5, 1000)),
    "code_per_operator_kib": ("KiB/operator", (0, 100), (0, 10)),
    "code_per_channel_bytes": ("B/channel", (0, 100), (0, 100)),
    "flash_spread": ("ratio", (0.005, 3), (0.005, 3)),
}
OPTIONAL = {"weight_copies"}


@dataclass(frozen=True)
class MemoryRuntime:
    """How one runtime uses memory. `in_place` and `scratch_bytes` by kind of operator (`arena.operator_kind`)."""

    id: str
    constants: dict[str, Quantity]
    in_place: Mapping[str, float] = field(default_factory=dict)
    scratch_bytes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    published: Mapping[str, str] | None = None
    file_in_flash: bool = False

    def value(self, name: str) -> float:
        """A constant in the unit that ends its name; 0 for one that this runtime does not have."""
        return self.constants[name].value if name in self.constants else 0.0


def parse_runtimes(content: dict, name: str) -> dict[str, MemoryRuntime]:
    """Runtime id -> runtime. UserError names a constant that is missing or faulty."""
    found = {}
    for key, entry in content["runtimes"].items():
        lacking = set(BOUNDS) - OPTIONAL - set(entry["constants"])
        if lacking:
            raise UserError(f"{name}, {key}: the constants {', '.join(sorted(lacking))} are missing.")
        kind = "application" if "weight_copies" in entry["constants"] else "microcontroller"
        constants = {c: read_quantity(c, q, kind, f"{name}, {key}", BOUNDS) for c, q in entry["constants"].items()}
        rest = {part: value for part, value in entry.items() if part != "constants"}
        found[key] = MemoryRuntime(key, constants, **rest)
    return found


@lru_cache(maxsize=1)
def load_memory_runtimes() -> dict[str, MemoryRuntime]:
    """All runtimes of `params/models/memory.yaml` by id."""
    return parse_runtimes(yaml.safe_load(PATH.read_text()), PATH.name)


def find_memory_runtime(platform: str | PlatformSpec) -> MemoryRuntime:
    """The runtime that the `memory_runtime` of a platform names. UserError when there is none of this name."""
    spec = load_platform(platform) if isinstance(platform, str) else platform
    runtimes = load_memory_runtimes()
    if spec.memory_runtime not in runtimes:
        near = nearest(spec.memory_runtime, runtimes)
        raise UserError(f"{spec.id}.yaml: memory_runtime {spec.memory_runtime!r} is none of {PATH.name}{near}")
    return runtimes[spec.memory_runtime]
