"""The data sets: where they are found, what they are called, and how their pixels reach a model.

Nothing is ever swapped for something else: a data set that is not found is an error that names every place
that was looked at.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.errors import UserError
from .cifar10 import CIFAR10_CLASSES, DAMAGE, DataNotFound, first_line, load_cifar10

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


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
    found = _from_path(Path(place), None) if place else Dataset("CIFAR-10", CIFAR10_CLASSES, *load_cifar10())
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
        return _npz(path, cifar10=image_px is None)
    if not path.is_dir():
        raise UserError(f"data_dir {str(path)!r} does not exist: give an image folder (train|test/<class>/) or an .npz.")
    classes = _classes(path / "train")
    if _classes(path / "test") != classes:
        raise UserError(f"{path}: train and test do not hold the same classes.")
    x_train, y_train, lossy = _read_split(path / "train", classes, image_px)
    x_test, y_test, _ = _read_split(path / "test", classes, image_px)
    copy = " (JPEG copy)" if lossy else ""
    part = "" if (len(x_train), len(x_test)) == (50_000, 10_000) else " subset"
    name = f"CIFAR-10{part}{copy}" if classes == CIFAR10_CLASSES else f"image folder {path.name!r}"
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


def _npz(path: Path, cifar10: bool) -> Dataset:
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(path, allow_pickle=False) as file:
            x_train, y_train, x_test, y_test = (file[name] for name in names)
    except (*DAMAGE, EOFError) as error:
        raise UserError(f"{path} is no .npz with {', '.join(names)} ({first_line(error)}).") from error
    labels = [np.asarray(y).reshape(-1).astype(np.int64) for y in (y_train, y_test)]
    for x, y in zip((x_train, x_test), labels, strict=True):
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[-1] != 3 or len(x) != len(y) or not len(y):
            raise UserError(f"{path}: images must be uint8 (N, H, W, 3) with N labels; found {x.dtype} {x.shape}, {len(y)}.")
    found = np.unique(np.concatenate(labels))
    if len(found) < 2 or found.tolist() != list(range(len(found))):
        raise UserError(f"{path}: labels must count 0, 1, 2, ... with at least two classes; found {found[:12].tolist()}.")
    if not cifar10:
        return Dataset(f"{path.name}", tuple(str(n) for n in found), x_train, labels[0], x_test, labels[1])
    if len(found) != 10 or x_train.shape != (50_000, 32, 32, 3) or x_test.shape != (10_000, 32, 32, 3):
        raise UserError(f"{path} is not CIFAR-10 (50,000 and 10,000 images of 32 px in 10 classes); set dataset to 'folder'.")
    return Dataset(f"CIFAR-10 ({path.name})", CIFAR10_CLASSES, x_train, labels[0], x_test, labels[1])


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
