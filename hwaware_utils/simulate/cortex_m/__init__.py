"""An INT8 model as bare-metal Cortex-M7 firmware: generated, compiled, executed and counted."""

from .build import DoesNotFit
from .export import export_firmware
from .simulation import CortexMRun, simulate

__all__ = ["CortexMRun", "DoesNotFit", "export_firmware", "simulate"]
