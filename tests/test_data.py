"""Data sets: found where they should be, refused by name when they are not usable, never swapped."""

import os
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from hwaware_utils.base.errors import UserError
from hwaware_utils.study import cifar10, data


@pytest.fixture
def image_folder(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            for number in range(3):
                path = tmp_path / "images" / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def test_digits_are_real_and_split_without_overlap():
    digits = data.load("digits")
    assert digits.x_train.shape == (1297, 8, 8, 3)
    assert digits.x_test.shape == (500, 8, 8, 3)
    assert digits.x_train.max() == 255
    assert set(np.unique(digits.y_test)) == set(range(10))


def test_fingerprint_changes_with_one_pixel():
    digits = data.load("digits")
    before = digits.fingerprint
    digits.x_test[0, 0, 0, 0] ^= 1
    assert digits.fingerprint != before


def test_a_folder_is_read_with_its_classes(image_folder):
    found = data.load("folder", str(image_folder), image_px=16)
    assert found.classes == ("cat", "dog")
    assert found.x_train.shape == (6, 16, 16, 3)
    assert found.y_test.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_single_class_is_refused(image_folder):
    for split in ("train", "test"):
        for file in (image_folder / split / "dog").iterdir():
            file.unlink()
        (image_folder / split / "dog").rmdir()
    with pytest.raises(UserError, match="1 class folders"):
        data.load("folder", str(image_folder))


def test_an_unreadable_image_is_named(image_folder):
    broken = image_folder / "train" / "cat" / "1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(UserError, match=r"cat/1\.png cannot be read"):
        data.load("folder", str(image_folder))


def test_another_data_set_is_never_taken_for_cifar10(image_folder):
    with pytest.raises(UserError, match="not CIFAR-10"):
        data.load("cifar10", str(image_folder))


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(UserError, match="no/such"):
        data.load("cifar10", "no/such")


def test_no_data_and_no_network_names_all_three_places(tmp_path, monkeypatch):
    monkeypatch.delenv("HWAWARE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(cifar10, "CIFAR10_URL", "http://127.0.0.1:9/cifar.tar.gz")
    with pytest.raises(data.DataNotFound) as missing:
        data.load("cifar10")
    assert all(place in str(missing.value) for place in ("HWAWARE_DATA", str(tmp_path), "download"))
    assert data.load_if_there("cifar10") is None


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02}q\x01"], ids=["empty", "html", "cut off"])
def test_a_damaged_keras_cache_is_refused_in_one_sentence(tmp_path, monkeypatch, content):
    folder = tmp_path / "datasets" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in cifar10.BATCHES:
        (folder / name).write_bytes(content)
    monkeypatch.delenv("HWAWARE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(UserError, match="is damaged") as refused:
        data.load("cifar10")
    assert "\n" not in str(refused.value)


def python2_pickle(pixels: bytes, labels: list[int]) -> bytes:
    """A batch as CIFAR-10's authors wrote it: Python 2, protocol 2, byte strings."""
    text = lambda word: b"U" + bytes([len(word)]) + word + b"q\x00"  # noqa: E731
    numbers = b"".join(b"K" + bytes([n]) for n in labels)
    return (
        b"\x80\x02}q\x01(" + text(b"data") + b"T" + struct.pack("<i", len(pixels)) + pixels
        + text(b"labels") + b"]q\x02(" + numbers + b"e" + b"u."
    )  # fmt: skip


def test_keras_cache_is_read_without_unpickling(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    folder = tmp_path / "datasets" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    pixels = rng.integers(0, 256, 3072 * 400, dtype=np.uint8)
    labels = rng.integers(0, 10, 400).tolist()
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        (folder / name).write_bytes(python2_pickle(pixels.tobytes(), labels))
    monkeypatch.delenv("HWAWARE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(pickle, "load", lambda *_: pytest.fail("a pickle was loaded"))
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("a pickle was loaded"))
    found = data.load("cifar10")
    assert found.name == "CIFAR-10"
    assert found.y_test.tolist() == labels
    assert (found.x_test[7, :, :, 2].reshape(-1) == pixels.reshape(400, 3, 1024)[7, 2]).all()


def test_an_npz_with_the_wrong_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "odd.npz", x_train=np.zeros(3))
    with pytest.raises(UserError, match=r"odd\.npz"):
        data.load("cifar10", str(tmp_path / "odd.npz"))


def test_a_truncated_npz_is_refused(tmp_path):
    np.savez(tmp_path / "cut.npz", x_train=np.zeros(3000))
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut\.npz is no \.npz"):
        data.load("cifar10", str(tmp_path / "cut.npz"))


def test_an_npz_of_something_else_is_never_called_cifar10(tmp_path):
    images, labels = np.zeros((6, 8, 8, 3), np.uint8), np.array([0, 1, 2, 0, 1, 2])
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(UserError, match="is not CIFAR-10"):
        data.load("cifar10", str(tmp_path / "mine.npz"))
    mine = data.load("folder", str(tmp_path / "mine.npz"))
    assert (mine.name, mine.classes) == ("mine.npz", ("0", "1", "2"))


@pytest.mark.skipif(not os.environ.get("HWAWARE_DATA"), reason="CIFAR-10 is not on this machine (HWAWARE_DATA)")
def test_cifar10_has_its_known_shape():
    found = data.load("cifar10")
    assert found.x_train.shape == (50_000, 32, 32, 3)
    assert np.bincount(found.y_test).tolist() == [1000] * 10
