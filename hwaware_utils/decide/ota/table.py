"""The tables of the report about updates: what each way of sending one costs, and what a device refuses."""

from pathlib import Path

import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ...base.artifacts import sha256
from ...base.errors import UserError
from . import package
from .delta import compare_methods, encode
from .pair import Pair
from .update import Device

SLOT_MARGIN = 1.1  # a slot is a tenth larger than the first image: successors of one network hardly grow


def ota_table(pairs: dict[str, Pair]) -> pd.DataFrame:
    """ota.csv: every method on the frozen and the fresh successor of each variant.

    Columns: variant, scales (frozen, fresh), method, delta_bytes, package_bytes (with header and signature), image_bytes,
    share, bound_bytes, above_bound, ram_bytes, chosen (fewest bytes of its pair), ram_evidence, sha256 (of the successor),
    evidence.
    """
    parts = []
    for variant, pair in pairs.items():
        for scales, new in (("frozen", pair.frozen), ("fresh", pair.fresh)):
            table = compare_methods(pair.base, new)
            table.insert(0, "variant", variant)
            table.insert(1, "scales", scales)
            table.insert(4, "package_bytes", table["delta_bytes"] + package.OVERHEAD_BYTES)
            parts.append(table.assign(chosen=table.index == 0, ram_evidence="modelled", sha256=sha256(new)))
    frame = pd.concat(parts, ignore_index=True)
    return frame[[name for name in frame if name != "evidence"] + ["evidence"]]


def make_device(base: Path, publisher: Ed25519PrivateKey, version: int = 1) -> Device:
    """A device that runs `base` and trusts the publisher's updates."""
    image = base.read_bytes()
    device = Device(int(SLOT_MARGIN * len(image)), publisher.public_key())
    device.provision(image, version)
    return device


def make_package(base: Path, new: Path, method: str, version: int, publisher: Ed25519PrivateKey) -> bytes:
    """The signed package that takes `base` to `new`."""
    old, image = base.read_bytes(), new.read_bytes()
    return package.build(old, image, method, encode(old, image, method), version, publisher)


def refusals(base: Path, new: Path, method: str, publisher: Ed25519PrivateKey) -> pd.DataFrame:
    """What a device says to eight bad packages. Columns: attack, refused, sentence, writes (into its flash), evidence."""
    device, sound = make_device(base, publisher), make_package(base, new, method, 2, publisher)
    updated = device.restarted()
    updated.install(sound)
    flipped, end = bytearray(sound), package.OVERHEAD_BYTES
    flipped[end + (len(sound) - end) // 2] ^= 1
    raised = sound[:5] + (99).to_bytes(4, "little") + sound[9:]
    unsigned = sound[: end - package.SIGNATURE_BYTES] + bytes(package.SIGNATURE_BYTES) + sound[end:]
    other = make_device(new, publisher)
    cases = [
        ("unsigned", device, unsigned),
        ("signed by another key", device, make_package(base, new, method, 2, Ed25519PrivateKey.generate())),
        ("version raised after signing", device, raised),
        ("one bit flipped", device, bytes(flipped)),
        ("truncated", device, sound[: len(sound) // 2]),
        ("replayed", updated, sound),
        ("older version", updated, make_package(base, new, method, 1, publisher)),
        ("wrong base", other, sound),
    ]
    return pd.DataFrame([{"attack": name, **_try(target, content)} for name, target, content in cases]).assign(
        evidence="simulated"
    )


def _try(device: Device, content: bytes) -> dict:
    writes = []
    device = device.restarted()
    device.flash.watch = lambda *operation: writes.append(operation)
    try:
        device.install(content)
    except UserError as error:
        return {"refused": True, "sentence": str(error), "writes": len(writes)}
    return {"refused": False, "sentence": "", "writes": len(writes)}
