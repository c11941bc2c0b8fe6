"""Renode is in no registry: its runner is tested against a stand-in that prints, its platform against the linker script."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from simulator_tools import left_behind, needs, own_temp, stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.simulate import renode
from hwaware_utils.simulate.comparison import random_inputs
from hwaware_utils.simulate.cortex_m import build, generate, golden, network, run_qemu
from hwaware_utils.simulate.summary import COLUMNS

INT8 = stored_model("memory-int8_ptq")
# Writes what the test prepared, then goes on as Renode's console does; checks that it was given all it needs
STAND_IN = """#!{python}
import pathlib, re, sys, time
script = pathlib.Path(re.search(r"include @(.*)", sys.argv[-1])[1])
named = set(re.findall(r"\\$ORIGIN/(\\S+)", script.read_text())) - {{"output.txt"}}
missing = [name for name in named if not (script.parent / name).exists()]
if missing:
    sys.exit(f"not there: {{missing}}")
answer = pathlib.Path(__file__).with_name("answer.txt")
if not answer.exists():
    sys.exit("There was an error executing command")
(script.parent / "output.txt").write_text(answer.read_text())
time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def temp(tmp_path_factory):
    with own_temp(tmp_path_factory) as folder:
        yield folder


@pytest.fixture(scope="module")
def firmware(tmp_path_factory):
    """The firmware of the smallest model, built once: compiling takes most of the time."""
    for package in ("ziglang", "tflite-micro"):
        needs(build.require, package)
    folder = tmp_path_factory.mktemp("firmware")
    build.copy_sources(generate.generate(network.read_network(INT8), "simd"), folder)
    return build.build_firmware(folder, INT8.name)


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> Path:
    """A folder on the PATH with a `renode`; a test writes answer.txt beside it."""
    program = tmp_path / "renode"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def test_logits_and_counts_are_read_and_renode_is_stopped(temp, firmware, stand_in, monkeypatch):
    monkeypatch.setattr(renode, "build_firmware", lambda folder, name: firmware)
    inputs = random_inputs(INT8, 2, seed=1)
    logits = golden.reference_logits(INT8, inputs)
    layers = network.read_network(INT8).layers
    lines = (
        [row.tobytes().hex() for row in logits] + ["ticks"] + [(k + 1).to_bytes(4, "little").hex() for k in range(len(layers))]
    )
    (stand_in / "answer.txt").write_text("\n".join(lines) + "\n")
    run = renode.simulate(INT8, inputs, variant="mine")
    row = run.summary.iloc[0]
    assert list(run.summary) == COLUMNS
    assert (row["variant"], row["evidence"], row["outputs_bit_exact"]) == ("mine", "simulated", 2)
    assert row[["cycles_low", "latency_ms_low"]].isna().all()
    assert np.array_equal(run.outputs, logits)
    assert run.operators["instructions"].tolist() == [40 * (k + 1) for k in range(len(layers))]
    assert row["instructions"] == run.operators["instructions"].sum()
    assert run.operators["name"].tolist() == [layer.name for layer in layers]
    assert left_behind(temp) == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [("fault\n", "crashed"), ("00\n", "had not ended after 1 s"), (None, "There was an error executing command")],
    ids=["fault", "time-out", "early end"],
)
def test_what_goes_wrong_is_told_and_nothing_is_left(temp, firmware, stand_in, answer, told):
    if answer:
        (stand_in / "answer.txt").write_text(answer)
    with pytest.raises(UserError, match=told):
        renode.run_renode(firmware, random_inputs(INT8, 1), timeout_s=1 if answer == "00\n" else 20)
    assert left_behind(temp) == []


def test_without_renode_nothing_is_pretended(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not run here" in renode.why_not_run()
    with pytest.raises(UserError, match="not run here: Renode is not on the PATH"):
        renode.simulate(INT8)


def test_with_renode_there_is_no_excuse(stand_in):
    assert renode.why_not_run() == ""


def test_float_and_damaged_models_are_told_first(tmp_path):
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(INT8.read_bytes()[:50_000])
    for model in (stored_model("memory-fp32"), cut, tmp_path / "none.tflite"):
        with pytest.raises(UserError, match=model.name):
            renode.simulate(model)


def test_platform_has_the_memories_of_the_firmware():
    text = (renode.HERE / "cortex_m7.repl").read_text()
    memories = re.findall(r"(\w+): Memory\.MappedMemory @ sysbus (\w+)\n    size: (\w+)", text)
    found = {name: (int(address, 16), int(size, 16)) for name, address, size in memories}
    assert found["flash"] == (0, build.FLASH_BYTES)
    assert found["ram"][1] == build.RAM_BYTES
    assert found["images"] == (run_qemu.IMAGES_AT, run_qemu.IMAGES_BYTES)


def test_a_tick_of_the_platform_is_as_many_instructions_as_the_runner_counts():
    script = (renode.HERE / "cortex_m7.resc").read_text()
    per_second = 1e6 * int(re.search(r"PerformanceInMips (\d+)", script)[1])
    ticks_per_second = int(re.search(r"systickFrequency: (\d+)", (renode.HERE / "cortex_m7.repl").read_text())[1])
    assert per_second / ticks_per_second == run_qemu.INSTRUCTIONS_PER_TICK
    assert f"images.bin {run_qemu.IMAGES_AT:#x}" in script
