"""An update with the power cut in every single write: what boots afterwards, and whether the update can be done again."""

import contextlib
import hashlib

import pandas as pd

from ...base.errors import UserError
from .flash import OUTCOMES, PowerCut
from .update import Device


def cut_everywhere(device: Device, package: bytes, image: bytes, seed: int = 0, again_every: int = 16) -> pd.DataFrame:
    """Install `package` (which makes `image`) on a copy of `device`; before each erase and program, three copies lose power.

    One row a cut. Columns: operation (counted from 0), kind (erase, program), region (journal, slot 0, slot 1), outcome
    (of the interrupted operation: nothing, part, everything), boots (old, new, nothing), version, installs_again (for
    every `again_every`-th operation and those on the journal, else missing), evidence (simulated).
    """
    running, old, rows = device.restarted(), device.boot().image, []
    states = {hashlib.sha256(old).digest(): "old", hashlib.sha256(image).digest(): "new"}

    def watch(name: str, address: int, content: bytes) -> None:
        operation = len(rows) // len(OUTCOMES)
        repeated = operation % again_every == 0 or device.region(address) == "journal"
        for outcome in OUTCOMES:
            cut = running.restarted()
            cut.flash.cut = outcome, seed + operation
            with contextlib.suppress(PowerCut):
                cut.flash.erase(address) if name == "erase" else cut.flash.program(address, content)
            after = cut.restarted()
            boots, version = _boot(after, states)
            again = _again(after, package, image) if repeated else None
            rows.append({"operation": operation, "kind": name, "region": device.region(address), "outcome": outcome,
                         "boots": boots, "version": version, "installs_again": again})  # fmt: skip

    running.flash.watch = watch
    running.install(package)
    return pd.DataFrame(rows).assign(evidence="simulated")


def _boot(device: Device, states: dict[bytes, str]) -> tuple[str, int]:
    try:
        booted = device.boot()
    except UserError:
        return "nothing", 0
    return states.get(hashlib.sha256(booted.image).digest(), "nothing"), booted.version


def _again(device: Device, package: bytes, image: bytes) -> bool:
    """Whether a device that lost power ends with the new image: it has it, or takes the package once more."""
    try:
        return device.boot().image == image or device.install(package).image == image
    except (UserError, ValueError):
        return False
