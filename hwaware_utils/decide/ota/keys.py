"""The publisher's key: an Ed25519 private key in a PEM file that nobody else may read."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ...base.errors import UserError


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key in `path`. UserError when it is missing, no unencrypted Ed25519 PEM, or readable by others."""
    try:
        content, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise UserError(f"key {str(path)!r} cannot be read ({error.strerror}): give an Ed25519 private key in PEM.") from error
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UserError(f"{str(path)!r} is no private key in unencrypted PEM: give one, or a new name to make one.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"{str(path)!r} holds a key of another kind ({type(key).__name__}): give an Ed25519 key.")
    if os.name == "posix" and mode & 0o077:
        raise UserError(f"key {str(path)!r} can be read by others (mode {mode:04o}): run `chmod 600` on it.")
    return key


def make_key(path: Path) -> Ed25519PrivateKey:
    """A new private key in `path`, mode 0600 from its first byte. UserError when the file exists or cannot be made."""
    key = Ed25519PrivateKey.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"key {str(path)!r} cannot be made ({error.strerror}): give another name or folder.") from error
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """The 32 bytes that a device must know to trust this publisher, in hexadecimal."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
