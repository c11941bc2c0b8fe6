"""What an operation and a byte cost, by class of platform: `params/models/energy.yaml`, checked like a platform's constants."""

from functools import lru_cache

import yaml

from ..base.errors import UserError
from ..base.results import ROOT
from .specs import Quantity, read_quantity

PATH = ROOT / "params" / "models" / "energy.yaml"

# Unit and physically possible range for application processors and for microcontrollers and NPUs.
BOUNDS = {
    "mac_fp32_pj": ("pJ", (0.1, 100), (0.1, 100)),
    "mac_int8_pj": ("pJ", (0.01, 10), (0.01, 10)),
    "instruction_pj": ("pJ", (1, 1000), (1, 1000)),
    "instructions_per_mac_fp32": ("1/MAC", (0.02, 20), (0.05, 50)),
    "instructions_per_mac_int8": ("1/MAC", (0.01, 10), (0.05, 50)),
    "near_pj_per_byte": ("pJ/B", (0.1, 50), (0.1, 50)),
    "far_pj_per_byte": ("pJ/B", (1, 1000), (1, 1000)),
    "static_w": ("W", (0.01, 100), (0.0005, 5)),
    "borrowed_board_spread": ("ratio", (1, 10), (1, 10)),
}


def parse_constants(content: dict, name: str) -> dict[str, dict[str, Quantity]]:
    """Class -> constant -> value with its certificate. UserError names a faulty constant."""
    return {
        kind: {key: read_quantity(key, entry, kind, f"{name}, {kind}", BOUNDS) for key, entry in constants.items()}
        for kind, constants in content["classes"].items()
    }


@lru_cache(maxsize=1)
def _all_constants() -> dict[str, dict[str, Quantity]]:
    return parse_constants(yaml.safe_load(PATH.read_text()), PATH.name)


def load_energy_constants(kind: str) -> dict[str, Quantity]:
    """Constants of a class of platforms: application, microcontroller or npu."""
    if kind not in _all_constants():
        raise UserError(f"{PATH.name} has no class {kind!r}: add its constants.")
    return dict(_all_constants()[kind])
