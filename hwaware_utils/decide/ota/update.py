"""A device that updates its model: two slots, a journal, and a loader that boots the newest record whose slot is whole.

Nothing that boots is ever touched: the new image goes into the other slot, is read back and compared, and only then one
page of the journal makes it current.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ...base.errors import UserError
from .delta import apply
from .flash import GEOMETRY, Flash, Geometry
from .journal import JOURNAL_SECTORS, Record, append, records
from .package import ANY_BASE, check_version, open_package


@dataclass(frozen=True)
class Booted:
    """What the loader found: the slot's model, and the highest version that this device has ever run."""

    slot: int
    version: int
    image: bytes
    highest_version: int
    sequence: int


class Device:
    """A flash of two slots of `slot_bytes` each behind a journal, and the public key of its updates' publisher."""

    def __init__(self, slot_bytes: int, key: Ed25519PublicKey, geometry: Geometry = GEOMETRY):
        self.slot_sectors = -(-slot_bytes // geometry.sector_bytes)
        self.key, self.flash = key, Flash(JOURNAL_SECTORS + 2 * self.slot_sectors, geometry)

    @property
    def slot_bytes(self) -> int:
        return self.slot_sectors * self.flash.geometry.sector_bytes

    def provision(self, image: bytes, version: int = 1) -> None:
        """The first image, put in at the factory. UserError when it does not fit, or when the device has a model already."""
        if records(self.flash):
            raise UserError("this device has a model already: bring the next one by `install`, which cannot brick it.")
        check_version(version)
        self._write(0, image)
        self._make_current(1, 0, version, image)

    def boot(self) -> Booted:
        """The newest record whose slot holds what it says. UserError when there is none: the device is bricked."""
        known = sorted(records(self.flash), reverse=True)
        for record in known:
            image = self.flash.read(self._slot_address(record.slot), record.image_bytes)
            if hashlib.sha256(image).digest() == record.sha256:
                return Booted(record.slot, record.version, image, max(r.version for r in known), known[0].sequence)
        raise UserError(f"none of {len(known)} journal records leads to a valid model: the device is bricked.")

    def install(self, content: bytes) -> Booted:
        """Verify a package, write its image into the other slot, read it back, make it current; what boots then.

        UserError, and not one write, for a package that is truncated, unsigned, forged, altered, replayed or made for
        another base or a larger slot.
        """
        now, package = self.boot(), open_package(content, self.key)
        if package.version <= now.highest_version:
            raise UserError(
                f"the package's version {package.version} is replayed or too old: this device has run version "
                f"{now.highest_version} and takes only newer ones."
            )
        if package.base_sha256 not in (ANY_BASE, hashlib.sha256(now.image).digest()):
            raise UserError(
                f"the package was made for another base ({package.base_sha256.hex()[:12]}..., version {now.version} runs "
                f"here): ask for the update of version {now.version}."
            )
        if package.image_bytes > self.slot_bytes:
            raise UserError(f"the new model has {package.image_bytes} bytes, a slot {self.slot_bytes}: make a smaller model.")
        image = _decoded(now.image, package.delta, package.method)
        if hashlib.sha256(image).digest() != package.image_sha256 or len(image) != package.image_bytes:
            raise UserError("the package's delta does not give the model that its header promises: have it built again.")
        slot = 1 - now.slot
        self._write(slot, image)
        if self.flash.read(self._slot_address(slot), len(image)) != image:
            raise UserError(f"slot {slot} does not hold what was written to it: the flash is worn out, replace the device.")
        self._make_current(now.sequence + 1, slot, package.version, image)
        return self.boot()

    def restarted(self) -> "Device":
        """The device after a power cut: same cells, nothing else remembered."""
        other = Device.__new__(Device)
        other.slot_sectors, other.key, other.flash = self.slot_sectors, self.key, self.flash.after_power_up()
        return other

    def region(self, address: int) -> str:
        """`journal`, `slot 0` or `slot 1`."""
        sector = address // self.flash.geometry.sector_bytes - JOURNAL_SECTORS
        return "journal" if sector < 0 else f"slot {sector // self.slot_sectors}"

    def _slot_address(self, slot: int) -> int:
        return (JOURNAL_SECTORS + slot * self.slot_sectors) * self.flash.geometry.sector_bytes

    def _write(self, slot: int, image: bytes) -> None:
        if len(image) > self.slot_bytes:
            raise UserError(f"the model has {len(image)} bytes, a slot {self.slot_bytes}: give larger slots.")
        start, (sector, page) = self._slot_address(slot), (self.flash.geometry.sector_bytes, self.flash.geometry.page_bytes)
        for offset in range(0, len(image), page):
            if offset % sector == 0:
                self.flash.erase(start + offset)
            self.flash.program(start + offset, image[offset : offset + page])

    def _make_current(self, sequence: int, slot: int, version: int, image: bytes) -> None:
        append(self.flash, Record(sequence, slot, version, len(image), hashlib.sha256(image).digest()))


@lru_cache(maxsize=2)
def _decoded(base: bytes, delta: bytes, method: str) -> bytes:
    """Applying is deterministic; thousands of simulated power cuts need it once."""
    return apply(base, delta, method)
