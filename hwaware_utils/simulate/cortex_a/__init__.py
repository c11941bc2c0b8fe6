"""Cortex-A78: LiteRT's aarch64 build under QEMU user mode. `simulate` runs a model, `set_up_guest` makes the userland."""

from .guest import set_up_guest
from .simulation import CortexARun, simulate

__all__ = ["CortexARun", "set_up_guest", "simulate"]
