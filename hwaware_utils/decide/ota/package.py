"""An update package: a signed header that says what it is, for which base, and what must come out; then the delta.

    magic 4 | method 1 | version 4 | base sha256 32 | image sha256 32 | image bytes 4 | delta bytes 4 | delta sha256 32
    | Ed25519 signature (RFC 8032) of all that, 64 | delta

Everything that a device acts on stands under the signature; the delta does by its sha256. Numbers are little-endian.
"""

import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ...base.errors import UserError
from .delta import METHODS

MAGIC = b"HWU1"
_HEADER = struct.Struct("<4sBI32s32sII32s")
SIGNATURE_BYTES = 64
OVERHEAD_BYTES = _HEADER.size + SIGNATURE_BYTES
LARGEST_VERSION = 2**32 - 1
ANY_BASE = bytes(32)  # a full image needs no base


@dataclass(frozen=True)
class Package:
    """An opened package, its signature and its delta's checksum verified."""

    version: int
    method: str
    base_sha256: bytes
    image_sha256: bytes
    image_bytes: int
    delta: bytes


def build(base: bytes, image: bytes, method: str, delta: bytes, version: int, key: Ed25519PrivateKey) -> bytes:
    """The package that takes a device from `base` to `image`. UserError for a version that is not 1 to 2**32 - 1."""
    check_version(version)
    base_sha256 = ANY_BASE if method == "full_lzma" else _sha256(base)
    header = _HEADER.pack(
        MAGIC, METHODS.index(method), version, base_sha256, _sha256(image), len(image), len(delta), _sha256(delta)
    )
    return header + key.sign(header) + delta


def check_version(version: int) -> None:
    """UserError for a version that is not 1 to 2**32 - 1."""
    if not (isinstance(version, int) and 1 <= version <= LARGEST_VERSION):
        raise UserError(f"version {version!r}: give a whole number from 1 to {LARGEST_VERSION}.")


def open_package(content: bytes, key: Ed25519PublicKey) -> Package:
    """UserError, a different sentence each, for what is cut, foreign, unsigned, forged, altered or too long."""
    if len(content) < OVERHEAD_BYTES:
        raise UserError(f"the package is truncated ({len(content)} of at least {OVERHEAD_BYTES} bytes): fetch it again.")
    header, signature, delta = content[: _HEADER.size], content[_HEADER.size : OVERHEAD_BYTES], content[OVERHEAD_BYTES:]
    if header[:4] != MAGIC:
        raise UserError(f"this is no update package (it starts with {header[:4]!r}, expected {MAGIC!r}): fetch the right file.")
    if signature == bytes(SIGNATURE_BYTES):
        raise UserError("the package is unsigned: have its publisher sign it.")
    try:
        key.verify(signature, header)
    except InvalidSignature as error:
        raise UserError(
            "the package's signature does not match (its header was altered, or another key signed it): fetch it again."
        ) from error
    _, method, version, base_sha256, image_sha256, image_bytes, delta_bytes, delta_sha256 = _HEADER.unpack(header)
    if len(delta) != delta_bytes:
        what = "truncated" if len(delta) < delta_bytes else "too long"
        raise UserError(f"the package is {what} ({len(delta)} of {delta_bytes} bytes of its delta): fetch it again.")
    if _sha256(delta) != delta_sha256:
        raise UserError("the package's delta was altered on its way (its sha256 is not the signed one): fetch it again.")
    if method >= len(METHODS):
        raise UserError(f"the package's delta method {method} is unknown to this device: update its loader first.")
    return Package(version, METHODS[method], base_sha256, image_sha256, image_bytes, delta)


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
