"""A delta gives the new file back, is near its entropy bound, and is refused in words when it is damaged."""

import functools
import itertools

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.ota import delta, range_coder
from hwaware_utils.decide.ota.layout import segments

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")


def stored(precision: str):
    """The smallest stored model in a precision."""
    return min((ROOT / "results" / "reference").glob(f"*.{precision}.tflite"), key=lambda path: path.stat().st_size)


BASE, REQUANTISED = stored("int8_ptq"), stored("int8_qat")


def changed(share: float, only_last: bool = False) -> bytes:
    """BASE with `share` of its 8-bit weights moved by a few steps, more in some channels than in others."""
    content, rng = bytearray(BASE.read_bytes()), np.random.default_rng(0)
    weights = [s for s in segments(bytes(content)) if s.key[0] == "constant" and s.width == 1]
    last = max(weights, key=lambda s: s.turn)
    for place in [last] if only_last else weights:
        old = np.frombuffer(content, np.int8, place.length, place.offset).astype(int)
        moved = rng.laplace(0, rng.uniform(0.2, 2) * share, place.length).round().astype(int)
        content[place.offset : place.offset + place.length] = np.clip(old + moved, -127, 127).astype(np.int8).tobytes()
    return bytes(content)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Name -> a successor of BASE. `requantised` is a real one: its scales, names and layout all differ."""
    folder = tmp_path_factory.mktemp("successors")
    made = {"requantised": REQUANTISED}
    for name, content in {"tuned": changed(0.5), "head": changed(0.9, only_last=True), "same": BASE.read_bytes()}.items():
        made[name] = folder / f"{name}.tflite"
        made[name].write_bytes(content)
    return made


@pytest.fixture(scope="module")
def compared(pairs):
    return functools.cache(lambda name: delta.compare_methods(BASE, pairs[name]).set_index("method"))


@pytest.mark.parametrize("name", ["requantised", "tuned", "head"])
def test_near_the_bound_and_smaller_than_the_whole_image(compared, name):
    table = compared(name)  # compare_methods raises unless every delta gives the new file back
    assert set(table.index) == set(delta.METHODS)
    assert table.index[0] == "aligned_range"
    assert table.loc["aligned_range", "above_bound"] <= 0.10
    assert table.loc["aligned_range", "delta_bytes"] < table.loc["full_lzma", "delta_bytes"]
    assert table["delta_bytes"].is_monotonic_increasing
    assert (table["evidence"] == "measured").all()


def test_an_identical_file_costs_next_to_nothing(compared):
    assert compared("same").loc["aligned_range", "delta_bytes"] <= 32
    assert compared("same").loc["aligned_range", "bound_bytes"] == 0


def test_frozen_layout_is_decoded_in_a_microcontrollers_ram(compared):
    ram = compared("tuned")["ram_bytes"]
    assert ram["aligned_range"] < 16 << 10
    assert ram["bsdiff4"] > 3 * 3_600_000  # three bzip2 blocks of 900k: no microcontroller


def test_the_smallest_that_fits(pairs):
    assert delta.smallest(BASE, pairs["head"])[0] == "aligned_range"
    assert delta.smallest(BASE, pairs["requantised"], ram_limit_bytes=100_000)[0] == "full_lzma"
    with pytest.raises(UserError, match="no decoder fits into 100 bytes of RAM"):
        delta.smallest(BASE, pairs["head"], ram_limit_bytes=100)


def test_the_bound_by_hand():
    old = BASE.read_bytes()
    place = max((s for s in segments(old) if s.key[0] == "constant" and s.width == 1), key=lambda s: s.length)
    new = bytearray(old)
    for k in range(place.offset, place.offset + place.length, 4):  # every fourth weight by one step, modulo 256
        new[k] = (new[k] + 1) % 256
    bits = place.length * (0.25 * np.log2(4) + 0.75 * np.log2(4 / 3))
    assert delta.entropy_bound_bytes(old, bytes(new)) == pytest.approx(bits / 8, rel=1e-3)


def test_segments_hold_the_constants_and_scales_of_the_file():
    from hwaware_utils.tflite_file import read_model

    content = BASE.read_bytes()
    graph = read_model(BASE).subgraphs[0]
    found = segments(content)
    for tensor in graph.tensors:
        data = read_model(BASE).buffers[tensor.buffer].data
        if data is not None and len(data):
            place = next(s for s in found if s.key == ("constant", tensor.name.decode(), 0))
            assert content[place.offset : place.offset + place.length] == bytes(data)
    assert all(a.offset + a.length <= b.offset for a, b in itertools.pairwise(found))


@given(st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**31), 2**31 - 1)), max_size=300))
@example([])
@example([0] * 5000)
@example([-(2**31), 2**31 - 1] * 20)
@example([255, 255, 254] * 400)  # runs of carries
def test_range_coder_gives_every_number_back(values):
    assert range_coder.decode(range_coder.encode(np.array(values, np.int64)), len(values)).tolist() == values


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.9])
def test_range_coder_is_near_the_entropy_of_independent_symbols(share):
    values = np.random.default_rng(1).choice([-1, 0, 1], 60_000, p=[share / 2, 1 - share, share / 2])
    entropy_bytes = delta._entropy_bits(values) / 8
    assert len(range_coder.encode(values)) <= 1.08 * entropy_bytes + 40


@pytest.mark.parametrize("method", delta.METHODS)
def test_a_cut_delta_never_passes_for_a_whole_one(method, pairs):
    old, new = BASE.read_bytes(), pairs["head"].read_bytes()
    whole = delta.encode(old, new, method)
    for length in (0, 3, len(whole) // 2, len(whole) - 5):
        try:
            assert delta.apply(old, whole[:length], method) != new
        except UserError as error:
            assert "damaged" in str(error)


def test_bad_input_gets_one_sentence(tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(b"hello, I am no model at all")
    with pytest.raises(UserError, match=r"no \.tflite model"):
        delta.compare_methods(BASE, other)
    with pytest.raises(UserError, match="does not exist"):
        delta.compare_methods(tmp_path / "absent.tflite", BASE)
    with pytest.raises(UserError, match="did you mean 'bsdiff4'"):
        delta.encode(b"", b"", "bsdiff")
