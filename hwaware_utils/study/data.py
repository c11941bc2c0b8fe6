"""The data sets: where they are found, what they are called, and how their pixels reach a model.

Nothing is ever swapped for something else: a data set that is not found is an error that names every place
that was looked at.
"""

import hashlib
import io
import os
import pickletools
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.errors import UserError

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
DOWNLOAD_TIMEOUT_S = 30
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


class DataNotFound(UserError):
    """No copy of the data set on this machine, and none could be downloaded."""


@dataclass(frozen=True)
class Dataset:
    """Images are uint8 (N, H, W, 3), labels int64 (N,)."""

    name: str
    classes: tuple[str, ...]
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    mirrored: bool = True  # whether a mirror image keeps its class; a digit's does not

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of the sha256 over every pixel and label, in order."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]


def load(dataset: str, data_dir: str = "", image_px: int = 96) -> Dataset:
    """Load `digits`, `cifar10` or `folder`.

    `cifar10` is looked for in `data_dir`, the variable HWAWARE_DATA, Keras' cache, and is downloaded last.
    `folder` reads any image folder laid out as train|test/<class>/<image>, scaled to `image_px`.
    Raises UserError for an unusable folder and DataNotFound when there is nothing to read.
    """
    if dataset == "digits":
        return _digits()
    if dataset == "folder":
        if not data_dir:
            raise UserError("dataset 'folder' needs data_dir: an image folder laid out as train|test/<class>/<image>.")
        return _from_path(Path(data_dir), image_px)
    place = data_dir or os.environ.get("HWAWARE_DATA", "")
    found = _from_path(Path(place), None) if place else _keras_cache() or _download()
    if found.classes != CIFAR10_CLASSES:
        raise UserError(f"{place} holds the classes {', '.join(found.classes)}: not CIFAR-10; set dataset to 'folder'.")
    return found


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.repeat((digits.images * 255 / 16).round().astype(np.uint8)[..., None], 3, axis=-1)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1297], order[1297:]
    classes = tuple(str(n) for n in range(10))
    labels = digits.target.astype(np.int64)
    return Dataset("scikit-learn digits", classes, images[train], labels[train], images[test], labels[test], mirrored=False)


def _from_path(path: Path, image_px: int | None) -> Dataset:
    if path.suffix == ".npz" and path.is_file():
        return _npz(path)
    if not path.is_dir():
        raise UserError(f"data_dir {str(path)!r} does not exist: give an image folder (train|test/<class>/) or an .npz.")
    classes = _classes(path / "train")
    if _classes(path / "test") != classes:
        raise UserError(f"{path}: train and test do not hold the same classes.")
    x_train, y_train, lossy = _read_split(path / "train", classes, image_px)
    x_test, y_test, _ = _read_split(path / "test", classes, image_px)
    copy = " (JPEG copy)" if lossy else ""
    name = f"CIFAR-10{copy}" if classes == CIFAR10_CLASSES else f"image folder {path.name!r}"
    return Dataset(name, classes, x_train, y_train, x_test, y_test)


def _classes(split: Path) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in split.iterdir() if p.is_dir())) if split.is_dir() else ()
    if len(names) < 2:
        raise UserError(f"{split} holds {len(names)} class folders: a classifier needs at least 2, one folder a class.")
    return names


def _read_split(split: Path, classes: tuple[str, ...], image_px: int | None):
    from PIL import Image

    images, labels, lossy = [], [], False
    for label, name in enumerate(classes):
        files = sorted(f for f in (split / name).iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise UserError(f"{split / name} holds no image ({', '.join(IMAGE_SUFFIXES)}).")
        for file in files:
            try:
                with Image.open(file) as image:
                    image = image.convert("RGB")
                    images.append(np.asarray(image.resize((image_px, image_px)) if image_px else image))
            except (OSError, ValueError) as error:
                raise UserError(f"{file} cannot be read as an image ({error}): delete or replace it.") from error
            labels.append(label)
            lossy |= file.suffix.lower() in (".jpg", ".jpeg")
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise UserError(f"{split} holds images of {len(shapes)} sizes: scale them to one size, or set dataset to 'folder'.")
    return np.stack(images), np.array(labels, np.int64), lossy


def _npz(path: Path) -> Dataset:
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(path, allow_pickle=False) as file:
            x_train, y_train, x_test, y_test = (file[name] for name in names)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is no .npz with {', '.join(names)} ({error}).") from error
    labels = [np.asarray(y).reshape(-1).astype(np.int64) for y in (y_train, y_test)]
    for x, y in zip((x_train, x_test), labels, strict=True):
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[-1] != 3 or len(x) != len(y):
            raise UserError(f"{path}: images must be uint8 (N, H, W, 3) with N labels; found {x.dtype} {x.shape}, {len(y)}.")
    return Dataset("CIFAR-10", CIFAR10_CLASSES, x_train, labels[0], x_test, labels[1])


def _keras_cache() -> Dataset | None:
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"
    for folder in ("cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"):
        if (cache / folder / "test_batch").is_file():
            return _batches(lambda name, folder=cache / folder: (folder / name).read_bytes())
    archive = cache / "cifar-10-batches-py.tar.gz"
    return _from_archive(archive) if archive.is_file() else None


def _download() -> Dataset:
    import pooch

    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"
    http = pooch.HTTPDownloader(progressbar=True, timeout=DOWNLOAD_TIMEOUT_S)
    try:
        return _from_archive(
            Path(pooch.retrieve(CIFAR10_URL, CIFAR10_SHA256, "cifar-10-batches-py.tar.gz", cache, downloader=http))
        )
    except (OSError, ValueError) as error:
        raise DataNotFound(
            "CIFAR-10 was not found: set data_dir or HWAWARE_DATA to an image folder or .npz, or let Keras' cache "
            f"({cache}) hold it, or allow the download from {CIFAR10_URL} ({type(error).__name__})."
        ) from error


def _from_archive(archive: Path) -> Dataset:
    try:
        with tarfile.open(archive) as tar:
            return _batches(lambda name: tar.extractfile(f"cifar-10-batches-py/{name}").read())
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise UserError(f"{archive} is damaged ({error}): delete it and run again.") from error


def _batches(read) -> Dataset:
    parts = [_parse_batch(read(f"data_batch_{i}")) for i in range(1, 6)]
    x_test, y_test = _parse_batch(read("test_batch"))
    x_train, y_train = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Dataset("CIFAR-10", CIFAR10_CLASSES, x_train, y_train, x_test, y_test)


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
        raise UserError("a CIFAR-10 batch in Keras' cache is damaged: delete the folder and run again.")
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int64)


def load_if_there(dataset: str, data_dir: str = "", image_px: int = 96) -> Dataset | None:
    """The data set, or None with a printed sentence when no copy exists. A place that was named must hold it."""
    try:
        return load(dataset, data_dir, image_px)
    except DataNotFound as missing:
        print(f"{missing} Accuracies below are recorded, not measured.")
        return None


def recipe_name(dataset: str, data: Dataset | None) -> str:
    """The data set's name in a recipe. An image folder counts by its pixels, not by its path."""
    return f"folder {data.fingerprint}" if dataset == "folder" else dataset
