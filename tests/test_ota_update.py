"""Whatever happens to an update, the device boots a whole model, and only the publisher's next one gets in."""

import contextlib
import hashlib

import numpy as np
import pytest
from conftest import ROOT
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.ota import delta, package, table
from hwaware_utils.decide.ota.flash import OUTCOMES, Flash, Geometry, PowerCut
from hwaware_utils.decide.ota.power_cuts import cut_everywhere
from hwaware_utils.decide.ota.update import Device

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

PUBLISHER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SMALL = Geometry(sector_bytes=512, page_bytes=128)  # four records fill a sector of the journal
RNG = np.random.default_rng(3)
IMAGES = [RNG.integers(0, 256, 1500, dtype=np.uint8).tobytes() for _ in range(12)]


def packed(number: int, version: int | None = None, method: str = "full_lzma", key=PUBLISHER, base: int | None = None) -> bytes:
    """The package that brings image `number`, by default as version number + 1, after image `base`."""
    old, new = IMAGES[number - 1 if base is None else base], IMAGES[number]
    return package.build(old, new, method, delta.encode(old, new, method), version or number + 1, key)


def fresh_device() -> Device:
    device = Device(1600, PUBLISHER.public_key(), SMALL)
    device.provision(IMAGES[0])
    return device


def with_cut(device: Device, content: bytes, operation: int, outcome: str, seed: int = 0) -> Device:
    """The device after an install that lost power in that operation, powered up again."""
    running, count = device.restarted(), 0

    def watch(*_):
        nonlocal count
        running.flash.cut = (outcome, seed) if count == operation else None
        count += 1

    running.flash.watch = watch
    with contextlib.suppress(PowerCut):
        running.install(content)
    return running.restarted()


def test_flash_programs_only_what_was_erased_and_only_once():
    flash = Flash(2, SMALL)
    flash.program(0, b"abc")
    assert flash.read(0, 4) == b"abc\xff"
    with pytest.raises(ValueError, match="not erased"):
        flash.program(0, b"abc")
    with pytest.raises(ValueError, match="no start"):
        flash.program(64, b"")
    with pytest.raises(ValueError, match="no start"):
        flash.erase(128)
    with pytest.raises(ValueError, match="no start"):
        flash.erase(1024)
    flash.erase(0)
    assert flash.read(0, 512) == b"\xff" * 512
    flash.program(0, b"abd")


@given(content=st.binary(min_size=1, max_size=128), seed=st.integers(0, 99))
def test_a_torn_program_clears_only_bits_that_it_was_to_clear(content, seed):
    flash = Flash(1, SMALL)
    flash.cut = "part", seed
    with pytest.raises(PowerCut):
        flash.program(0, content)
    after = np.frombuffer(flash.read(0, len(content)), np.uint8)
    wanted = np.frombuffer(content, np.uint8)
    assert ((after & wanted) == wanted).all()
    with pytest.raises(ValueError, match="not erased"):
        flash.after_power_up().program(0, content)


def test_twelve_updates_in_a_row_roll_the_journal_over():
    device = fresh_device()
    for number in range(1, len(IMAGES)):
        method = ("full_lzma", "bsdiff4", "hdiffpatch")[number % 3]
        booted = device.install(packed(number, method=method))
        assert (booted.version, booted.image) == (number + 1, IMAGES[number])
        assert booted.slot == number % 2
        assert device.restarted().boot() == booted


@pytest.mark.parametrize("number", [1, 3, 4, 7, 8])  # with and without an erase of a journal sector
def test_no_power_cut_in_any_write_bricks_the_device(number):
    device = fresh_device()
    for step in range(1, number):
        device.install(packed(step))
    outcome = cut_everywhere(device, packed(number), IMAGES[number], again_every=1)
    assert outcome["operation"].nunique() >= 16  # 3 erases, 12 pages, the journal
    assert set(outcome["outcome"]) == set(OUTCOMES)
    assert set(outcome["boots"]) == {"old", "new"}
    assert outcome["installs_again"].all()
    last = outcome[outcome["operation"] == outcome["operation"].max()]
    assert last.set_index("outcome")["boots"].to_dict() == {"nothing": "old", "part": "old", "everything": "new"}
    assert (outcome[outcome["operation"] < outcome["operation"].max()]["boots"] == "old").all()


def test_cuts_seen_from_outside_are_the_same():
    """`cut_everywhere` copies the flash before each write; here every install runs anew until its cut."""
    device, content = fresh_device(), packed(1)
    outcome = cut_everywhere(device, content, IMAGES[1])
    for row in outcome.itertuples():
        after = with_cut(device, content, row.operation, row.outcome, row.operation).boot()
        assert (after.version, "old" if after.image == IMAGES[0] else "new") == (row.version, row.boots)


@given(cuts=st.lists(st.tuples(st.integers(0, 17), st.sampled_from(OUTCOMES), st.integers(0, 99)), max_size=8))
@settings(max_examples=60)
def test_cuts_on_top_of_cuts(cuts):
    device, number = fresh_device(), 1
    for operation, outcome, seed in cuts:
        before = device.boot().version
        device = with_cut(device, packed(number), operation, outcome, seed)
        booted = device.boot()
        assert booted.image == IMAGES[booted.version - 1]
        assert booted.version in (before, number + 1)
        number = booted.version
    assert device.install(packed(number)).image == IMAGES[number]


def test_a_slot_that_rots_falls_back_but_never_opens_the_door_to_old_packages():
    device = fresh_device()
    device.install(packed(1))
    device.install(packed(2))
    device.flash.cells[device._slot_address(0) + 7] ^= 4
    booted = device.boot()
    assert (booted.version, booted.image, booted.highest_version) == (2, IMAGES[1], 3)
    with pytest.raises(UserError, match="has run version 3"):
        device.install(packed(2))
    assert device.install(packed(3)).version == 4  # a full image needs no base
    device.flash.cells[:] = 0
    with pytest.raises(UserError, match="bricked"):
        device.boot()


@given(st.data())
@settings(max_examples=200)
def test_no_single_flipped_bit_gets_in(data):
    content = bytearray(packed(1))
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    refused(fresh_device(), bytes(content))


@given(st.integers(0, 400), st.booleans())
def test_no_truncated_or_lengthened_package_gets_in(cut, longer):
    content = packed(1)
    refused(fresh_device(), content + bytes(cut + 1) if longer else content[: len(content) - 1 - cut])


def refused(device: Device, content: bytes) -> str:
    before = device.flash.cells.copy()
    with pytest.raises(UserError) as caught:
        device.install(content)
    assert np.array_equal(before, device.flash.cells)
    return str(caught.value)


def test_every_other_bad_package_is_refused_in_its_own_words():
    device = fresh_device()
    assert "no update package" in refused(device, b"\0" * 500)
    assert "signature does not match" in refused(device, packed(1, key=Ed25519PrivateKey.generate()))
    assert "another base" in refused(device, packed(2, method="bsdiff4"))
    assert "replayed or too old" in refused(device, packed(1, version=1))
    long = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    coded = delta.encode(b"", long, "full_lzma")
    assert "a slot 2048" in refused(device, package.build(b"", long, "full_lzma", coded, 2, PUBLISHER))
    wrong = package.build(IMAGES[0], IMAGES[1], "bsdiff4", delta.encode(IMAGES[0], IMAGES[2], "bsdiff4"), 2, PUBLISHER)
    assert "does not give the model" in refused(device, wrong)
    broken = package.build(IMAGES[0], IMAGES[1], "bsdiff4", b"BSDIFF40 and no more", 2, PUBLISHER)
    assert "damaged" in refused(device, broken)
    for version in (0, -1, 2**32, 1.5):
        with pytest.raises(UserError, match="version"):
            packed(1, version=version) if version else package.build(b"", b"", "full_lzma", b"", 0, PUBLISHER)


def test_the_header_says_what_the_docstring_says():
    content = packed(1, version=258, method="bsdiff4")
    assert content[:4] == b"HWU1"
    assert content[5:9] == (258).to_bytes(4, "little")
    assert content[9:41] == hashlib.sha256(IMAGES[0]).digest()
    assert content[41:73] == hashlib.sha256(IMAGES[1]).digest()
    assert package.OVERHEAD_BYTES == 113 + 64
    PUBLISHER.public_key().verify(content[113:177], content[:113])


def test_a_stored_model_survives_a_cut_in_every_write_and_eight_attacks():
    folder = ROOT / "results" / "reference"
    base, new = (min(folder.glob(f"*.int8_{kind}.tflite"), key=lambda path: path.stat().st_size) for kind in ("ptq", "qat"))
    device, content = table.make_device(base, PUBLISHER), table.make_package(base, new, "hdiffpatch", 2, PUBLISHER)
    outcome = cut_everywhere(device, content, new.read_bytes(), again_every=200)
    assert len(outcome) > 5000
    assert not (outcome["boots"] == "nothing").any()
    assert outcome["installs_again"].dropna().all()
    attacks = table.refusals(base, new, "hdiffpatch", PUBLISHER)
    assert attacks["refused"].all()
    assert (attacks["writes"] == 0).all()
    for attack, word in {"unsigned": "unsigned", "truncated": "truncated", "replayed": "replayed", "wrong base": "another base",
                         "one bit flipped": "altered on its way", "signed by another key": "signature"}.items():  # fmt: skip
        assert word in attacks.set_index("attack").loc[attack, "sentence"]
