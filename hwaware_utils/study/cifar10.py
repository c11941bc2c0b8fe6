"""CIFAR-10 as its authors publish it: found in Keras' cache or downloaded, and read without loading a pickle."""

import io
import os
import pickletools
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..base.errors import UserError

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x_train, y_train, x_test, y_test
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
DOWNLOAD_TIMEOUT_S = 30
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
DAMAGE = (OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error)


class DataNotFound(UserError):
    """No copy of the data set on this machine, and none could be downloaded."""


def load_cifar10() -> Arrays:
    """uint8 images (N, 32, 32, 3) and int64 labels, from Keras' cache or its public address.

    Raises DataNotFound, naming every place that was looked at, and UserError for a damaged copy.
    """
    return _extracted() or _download()


def in_keras_cache() -> bool:
    """Whether Keras' cache holds a copy, extracted or as an archive."""
    return any(
        (_cache() / name).exists()
        for name in ("cifar-10-batches-py", "cifar-10-batches-py-target", "cifar-10-batches-py.tar.gz")
    )


def _cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"


def _extracted() -> Arrays | None:
    for folder in ("cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"):
        if all((_cache() / folder / name).is_file() for name in BATCHES):
            return _batches(_cache() / folder, lambda name, folder=folder: (_cache() / folder / name).read_bytes())
    return None


def _download() -> Arrays:
    """Keras' archive: from the cache if its sha256 is right, else from its public address."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    http = pooch.HTTPDownloader(progressbar="HWAWARE_HEADLESS" not in os.environ, timeout=DOWNLOAD_TIMEOUT_S)
    try:
        archive = pooch.retrieve(CIFAR10_URL, CIFAR10_SHA256, "cifar-10-batches-py.tar.gz", _cache(), downloader=http)
    except (OSError, ValueError) as error:
        raise DataNotFound(
            "CIFAR-10 was not found: set data_dir or HWAWARE_DATA to an image folder or .npz, or let Keras' cache "
            f"({str(_cache()).replace(str(Path.home()), '~', 1)}) hold it, or allow the download from {CIFAR10_URL} "
            f"({type(error).__name__})."
        ) from error
    with tarfile.open(archive) as tar:
        return _batches(Path(archive), lambda name: tar.extractfile(f"cifar-10-batches-py/{name}").read())


def _batches(place: Path, read) -> Arrays:
    try:
        parts = [_parse_batch(read(name)) for name in BATCHES]
    except (*DAMAGE, tarfile.TarError, EOFError) as error:
        raise UserError(f"{place} is damaged ({first_line(error)}): delete it and run again.") from error
    x_train, y_train = (np.concatenate(part) for part in zip(*parts[:-1], strict=True))
    return x_train, y_train, *parts[-1]


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__


def _parse_batch(blob: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Read one CIFAR-10 batch without unpickling it: the file's opcodes are listed, never executed."""
    pixels, labels, in_labels = None, [], False
    for opcode, argument, _ in pickletools.genops(io.BytesIO(blob)):
        if isinstance(argument, str | bytes):
            in_labels = argument in ("labels", b"labels")
            if len(argument) > 1_000_000:
                pixels = argument.encode("latin1") if isinstance(argument, str) else argument
        elif in_labels and opcode.name == "BININT1":
            labels.append(argument)
        elif in_labels and opcode.name == "APPENDS" and len(labels) > 9_999:
            in_labels = False
    if pixels is None or len(pixels) != 3072 * len(labels):
        raise ValueError(f"a batch holds {len(labels)} labels and {len(pixels or b'')} bytes of pixels")
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int64)
