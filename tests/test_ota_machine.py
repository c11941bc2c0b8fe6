"""Any order of updates, power cuts, replays and rot: the device always boots a whole model and never an older package."""

import contextlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.ota import delta, package
from hwaware_utils.decide.ota.flash import OUTCOMES, Geometry, PowerCut
from hwaware_utils.decide.ota.journal import records
from hwaware_utils.decide.ota.update import Device

PUBLISHER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SMALL = Geometry(sector_bytes=256, page_bytes=64)  # four records fill a sector of the journal
CUTS = st.tuples(st.integers(0, 9), st.sampled_from(OUTCOMES), st.integers(0, 99))


def image_of(version: int) -> bytes:
    return np.random.default_rng(version).integers(0, 256, 300, dtype=np.uint8).tobytes()


def packed(base: bytes, version: int, method: str) -> bytes:
    image = image_of(version)
    return package.build(base, image, method, delta.encode(base, image, method), version, PUBLISHER)


class Field(RuleBasedStateMachine):
    """A device, the `highest` version that has ever run on it, and the packages of before."""

    def __init__(self):
        super().__init__()
        self.device, self.highest, self.old = Device(300, PUBLISHER.public_key(), SMALL), 1, []

    @initialize(cuts=st.lists(CUTS, max_size=3))
    def leave_the_factory(self, cuts):
        for cut in cuts:
            if not records(self.device.flash):
                self.interrupted(cut, lambda device: device.provision(image_of(1)))
        if not records(self.device.flash):
            self.device.provision(image_of(1))

    @rule(step=st.integers(1, 3), method=st.sampled_from(["bsdiff4", "full_lzma"]))
    def update(self, step, method):
        content = self.next_package(step, method)
        assert self.device.install(content).image == image_of(self.highest + step)
        self.highest += step
        self.old.append(content)

    @rule(step=st.integers(1, 3), method=st.sampled_from(["bsdiff4", "full_lzma"]), cut=CUTS)
    def update_with_a_power_cut(self, step, method, cut):
        before = self.device.boot().version
        self.interrupted(cut, lambda device: device.install(self.next_package(step, method)))
        booted = self.device.boot().version
        assert booted in (before, self.highest + step)
        self.highest = max(self.highest, booted)

    @precondition(lambda self: self.old)
    @rule(which=st.integers(0, 99))
    def replay(self, which):
        before = self.device.flash.cells.copy()
        with contextlib.suppress(UserError):
            self.device.install(self.old[which % len(self.old)])
            raise AssertionError("an old package got in")
        assert np.array_equal(before, self.device.flash.cells)

    @rule(place=st.integers(0, 299))
    def the_slot_that_does_not_run_rots(self, place):
        self.device.flash.cells[self.device._slot_address(1 - self.device.boot().slot) + place] ^= 0x10

    @invariant()
    def a_whole_model_boots(self):
        if records(self.device.flash):
            booted = self.device.restarted().boot()
            assert booted.image == image_of(booted.version)
            assert booted.highest_version == self.highest >= booted.version

    def next_package(self, step: int, method: str) -> bytes:
        return packed(self.device.boot().image, self.highest + step, method)

    def interrupted(self, cut, action):
        (operation, outcome, seed), running, count = cut, self.device.restarted(), 0

        def watch(*_):
            nonlocal count
            running.flash.cut = (outcome, seed) if count == operation else None
            count += 1

        running.flash.watch = watch
        with contextlib.suppress(PowerCut):
            action(running)
        self.device = running.restarted()


Field.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestField = Field.TestCase


def test_the_journal_wears_evenly_and_slowly():
    device, places = Device(300, PUBLISHER.public_key(), SMALL), []
    device.provision(image_of(1))
    device.flash.watch = lambda name, address, _: (
        places.append(address) if name == "erase" and device.region(address) == "journal" else None
    )
    for version in range(2, 34):
        device.install(packed(b"", version, "full_lzma"))
    assert len(places) == 32 // 4  # a sector of the journal is erased once in as many updates as it holds records
    assert places.count(0) == places.count(SMALL.sector_bytes)
    assert device.boot().sequence == 33


def test_a_device_is_provisioned_once_and_after_any_cut():
    device = Device(300, PUBLISHER.public_key(), SMALL)
    device.provision(image_of(1))
    before = device.flash.cells.copy()
    for version in (0, 2**32, 1.5):
        with pytest.raises(UserError, match="version"):
            Device(300, PUBLISHER.public_key(), SMALL).provision(image_of(1), version)
    with pytest.raises(UserError, match="has a model already"):
        device.provision(image_of(2), 2)
    assert np.array_equal(before, device.flash.cells)
