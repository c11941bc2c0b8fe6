"""Cortex-M7 firmware: bit-exact with TFLite-Micro, counted alike by two simulators, and clear when it cannot be made."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulator_tools import needs

from hwaware_utils.base.artifacts import sha256
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.processes import find_tool
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.platforms.published import select_published
from hwaware_utils.simulate import cortex_m
from hwaware_utils.simulate.comparison import random_inputs
from hwaware_utils.simulate.cortex_m import build, cycles, golden, multipliers, packing
from hwaware_utils.simulate.cortex_m.generate import generate
from hwaware_utils.simulate.cortex_m.network import read_network
from hwaware_utils.simulate.cortex_m.random_model import RandomModel, write_random_mobilenet
from hwaware_utils.simulate.cortex_m.run_qemu import run_qemu
from hwaware_utils.simulate.cortex_m.run_unicorn import Machine
from hwaware_utils.simulate.summary import COLUMNS

QEMU = "qemu-system-arm"


def need_qemu():
    needs(lambda: find_tool(QEMU, package=QEMU))


def trained(pattern: str):
    return next(REFERENCE.glob(pattern))


@pytest.fixture
def own_temporary_folder(tmp_path, monkeypatch):
    """Where `tempfile` puts its folders: empty again when a simulation is over."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A MobileNetV2 of 32 x 32 pixels with random weights."""
    path = tmp_path_factory.mktemp("models") / "small.tflite"
    return write_random_mobilenet(path, "mobilenet_v2", 0.35, 32, 10)


@pytest.fixture(scope="module")
def run(small):
    return cortex_m.simulate(small, random_inputs(small, 8))


def logits(path, folder, images, kernels="simd"):
    """What the firmware answers in Unicorn."""
    build.copy_sources(generate(read_network(path), kernels), folder)
    machine = Machine(build.build_firmware(folder, path.name))
    return np.stack([machine.infer(image)[0] for image in images])


def test_a_trained_model_is_bit_exact(own_temporary_folder):
    model = trained("memory-*.int8_ptq.tflite")
    result = cortex_m.simulate(model, random_inputs(model, 4))
    row = result.summary.iloc[0]
    assert row["outputs_compared"] == row["outputs_bit_exact"] > 0 and row["max_abs_diff"] == 0
    assert result.stack_bytes < 1024 and result.arena_bytes < result.ram_bytes <= build.RAM_BYTES


INT8 = sorted(path.name for path in REFERENCE.glob("*.int8_*.tflite"))


@pytest.mark.endtoend
@pytest.mark.parametrize("name", INT8)
def test_every_stored_int8_model_is_bit_exact_or_does_not_fit(name, tmp_path):
    """Twelve inputs now, half of them smooth; the stored table tells of 100 with this very file."""
    model = REFERENCE / name
    images = random_inputs(model, 12)
    images[6:] = np.sort(images[6:].reshape(6, -1)).reshape(images[6:].shape)
    stored = pd.read_csv(REFERENCE / "simulations.csv").query("platform == 'arm_cortex_m7'").set_index("sha256")
    try:
        found = logits(model, tmp_path, images)
    except cortex_m.DoesNotFit as told:
        assert name.startswith("baseline") and set(told.excess_bytes) == {"flash"}
        assert sha256(model) not in stored.index
    else:
        assert np.array_equal(found, golden.reference_logits(model, images))
        row = stored.loc[sha256(model)]
        assert row["outputs_bit_exact"] == row["outputs_compared"] >= 100


def test_summary_and_operators_say_the_same(run, small):
    row, table = run.summary.iloc[0], run.operators
    assert list(run.summary) == COLUMNS and row["evidence"] == "simulated" and set(table["evidence"]) == {"simulated"}
    assert row["instructions"] == table["instructions"].sum() and row["cycles_low"] == table["cycles"].sum()
    assert row["latency_ms_low"] == pytest.approx(row["cycles_low"] / 400e3)
    assert len(table) == len(read_network(small).layers) and (table["cycles"] <= table["cycles_high"]).all()
    # Two instructions a cycle at most, and one SMLAD (two MACs) a cycle
    assert (table["instructions"] <= 2 * table["cycles"]).all() and (table["macs"] <= 2 * table["cycles"]).all()
    assert row["outputs_bit_exact"] == 8


def test_simd_kernels_need_less_than_half_the_instructions(small, run):
    portable = cortex_m.simulate(small, random_inputs(small, 1), "portable")
    assert portable.summary["instructions"][0] > 2 * run.summary["instructions"][0]
    assert portable.summary["outputs_bit_exact"][0] == 1


def test_the_vendors_network_is_as_fast_and_small_as_the_vendor_publishes(tmp_path):
    """MobileNetV2 0.35 at 128 px, 5 classes, beside STM32Cube.AI 10 on the same core (STM32H747 at 400 MHz)."""
    board = {"device": "STM32H747I-DISCO", "runtime": "STM32Cube.AI 10.0.0"}
    network = {"family": "mobilenet_v2", "alpha": 0.35, "resolution": 128, "classes": 5}
    published = select_published(board | network).iloc[0]
    result = cortex_m.simulate(write_random_mobilenet(tmp_path / "v2.tflite", "mobilenet_v2", 0.35, 128, 5))
    row = result.summary.iloc[0]
    assert row["outputs_bit_exact"] == row["outputs_compared"]
    assert 0.5 < row["latency_ms_low"] / published["latency_ms"] <= row["latency_ms_high"] / published["latency_ms"] < 1.3
    assert row["instructions"] / result.operators["macs"].sum() < 3.5
    assert result.ram_bytes < 1024 * published["ram_kib"] and result.flash_bytes < 1024 * published["flash_kib"]


def test_qemu_counts_the_same_within_40_instructions_a_layer(small, own_temporary_folder):
    need_qemu()
    result = cortex_m.simulate(small, random_inputs(small, 3), cross_check=True)
    assert result.qemu["logits_equal"]
    assert np.abs(result.operators["instructions"] - result.qemu["instructions"]).max() <= 40


@st.composite
def networks(draw):
    """A small network of every operator and of awkward sizes: odd channels, dilation, VALID, saturation, left shifts."""
    integers, activations = st.integers, st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
    model = RandomModel((draw(integers(5, 13)), draw(integers(5, 13)), draw(integers(1, 6))), draw(integers(0, 2**30)))
    last = 0
    for _ in range(draw(integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "depthwise", "add", "pad", "quantize"]))
        roomy = min(model.shape(last)[1:3]) >= 5
        kernel, stride = draw(st.sampled_from([1, 1, 3, 5] if roomy else [1, 3])), draw(integers(1, 2))
        padding = draw(st.sampled_from(["SAME", "VALID"])) if roomy else "SAME"
        dilation = draw(integers(1, 2)) if stride == 1 and roomy and kernel == 3 else 1
        where = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "activation": draw(activations)}
        if kind == "conv":
            last = model.conv(last, draw(integers(1, 21)), gain=draw(st.sampled_from([0.3, 1.0, 3.0, 100.0])), **where)
        elif kind == "depthwise":
            last = model.depthwise(last, multiplier=draw(integers(1, 2)), **where)
        elif kind == "add":
            last = model.add(last, model.conv(last, model.shape(last)[3], 1), draw(activations))
        elif kind == "quantize":
            last = model.quantize(last)
        else:
            last = model.pad(last, (draw(integers(0, 2)), 1), (1, draw(integers(0, 2))))
    end = draw(st.sampled_from(["", "mean", "mean dense", "flatten dense", "mean dense softmax"]))
    for name in end.split():
        last = model.dense(last, draw(integers(1, 11))) if name == "dense" else getattr(model, name)(last)
    return model.finish(last)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(networks(), st.sampled_from(packing.KERNELS))
def test_random_networks_are_bit_exact(content, kernels):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.tflite"
        path.write_bytes(content)
        shape = read_network(path).shapes[0][1:]
        images = np.random.default_rng(1).integers(-128, 128, (3, *shape)).astype(np.int8)
        expected = golden.reference_logits(path, images)
        assert np.array_equal(logits(path, path.parent, images, kernels), expected)


@given(st.integers(-(2**30), 2**30), st.integers(2**30, 2**31 - 1), st.integers(1, 31))
def test_the_five_instruction_rounding_is_tflites(x, fraction, right):
    """requantize_fast, instruction by instruction, against gemmlowp's two functions as they are written."""
    nudge = 2**30 if x >= 0 else 1 - 2**30
    product = x * fraction + nudge
    high = abs(product) // 2**31 * (1 if product >= 0 else -1)  # C divides towards zero
    mask, remainder = (1 << right) - 1, high & ((1 << right) - 1)
    expected = (high >> right) + (remainder > (mask >> 1) + (high < 0))
    value = (x * 2**32 + x * packing.fast_multiplier((fraction, -right)) + 2**31) >> 32
    value += value >> 31
    assert (value >> right) + ((value >> (right - 1)) & 1) == expected


@given(st.floats(1e-9, 100))
def test_a_multiplier_is_its_scale_to_31_bits(scale):
    fraction, shift = multipliers.quantize_multiplier(scale)
    assert fraction * 2.0 ** (shift - 31) == pytest.approx(scale, rel=2**-30)


@pytest.mark.parametrize("scale", [-0.1, 2.0**31, 1e38, float("inf"), float("nan")])
def test_a_scale_that_no_shift_reaches_is_refused(scale):
    with pytest.raises(ValueError, match="a ratio of scales is"):
        multipliers.quantize_multiplier(scale)


def test_linker_script_and_code_name_the_same_memories():
    text = (build.FIRMWARE / "memory.ld").read_text()
    assert re.findall(r"LENGTH = (\w+)", text) == [f"{build.FLASH_BYTES >> 20}M", f"{build.RAM_BYTES >> 10}K"]


@pytest.mark.parametrize(
    "family, alpha, resolution, memory", [("mobilenet_v2", 1.0, 32, "flash"), ("mobilenet_v2", 0.35, 224, "RAM")]
)
def test_a_model_too_large_says_by_how_many_bytes(family, alpha, resolution, memory, tmp_path, own_temporary_folder):
    model = write_random_mobilenet(tmp_path / "large.tflite", family, alpha, resolution, 10)
    sources = generate(read_network(model))
    with pytest.raises(cortex_m.DoesNotFit, match=rf"large.tflite does not fit .* {memory} by [\d,]+ bytes") as told:
        cortex_m.simulate(model, random_inputs(model, 1))
    need, limit = {"flash": (sources.constant_bytes, 2 << 20), "RAM": (sources.arena_bytes, 512 << 10)}[memory]
    # Code, vectors or data and stack come on top of what the generator counts
    assert 0 < told.value.excess_bytes[memory] - (need - limit) < 24 * 1024


@pytest.mark.parametrize("pattern", ["energy-*.fp32.tflite", "energy-*.mixed.tflite"])
def test_a_model_that_is_not_int8_is_refused(pattern):
    with pytest.raises(UserError, match="is no INT8 model"):
        cortex_m.simulate(trained(pattern))


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"inputs": np.zeros((1, 32, 32, 3), np.float32)}, "type float32 do not fit"),
        ({"inputs": np.zeros((1, 16, 32, 3), np.int8)}, "do not fit"),
        ({"kernels": "neon"}, "kernels 'neon' are unknown: use simd or portable"),
        ({"platform": "apple_m1"}, "has no Cortex-M7"),
    ],
)
def test_unfit_arguments_are_told(changed, told, small):
    with pytest.raises(UserError, match=told):
        cortex_m.simulate(small, **changed)


def test_an_operator_without_a_kernel_is_named(tmp_path):
    from ai_edge_litert import schema_py_generated as schema

    model = RandomModel((8, 8, 4))
    made = model._operator("LOGISTIC", [0], model._activation((1, 8, 8, 4), 1 / 256, -128), schema.LogSoftmaxOptionsT())
    (tmp_path / "odd.tflite").write_bytes(model.finish(made))
    with pytest.raises(UserError, match="uses LOGISTIC: the Cortex-M kernels have CONV_2D"):
        cortex_m.simulate(tmp_path / "odd.tflite")


@pytest.mark.parametrize("package", ["ziglang", "unicorn", "tflite-micro"])
def test_a_missing_package_is_named(package, small, monkeypatch, own_temporary_folder):
    found, missing = build.util.find_spec, package.replace("-", "_")
    monkeypatch.setattr(build.util, "find_spec", lambda name, *rest: None if name == missing else found(name, *rest))
    with pytest.raises(UserError, match=f"'{package}' is not installed: run `pip install {package}`"):
        cortex_m.simulate(small, random_inputs(small, 1))


def test_a_missing_llvm_mca_is_named(monkeypatch):
    monkeypatch.setattr(cycles.util, "find_spec", lambda name: None)
    monkeypatch.setattr(cycles.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="llvm-mca is not installed"):
        cycles.find_tool("llvm-mca")


HANG = ("for (;;) ;", "had not ended after 0.5 s", "took more than 2 s and was stopped", 2)
CRASH = ("*(volatile int *)0x90000000 = 1;", "crashed in layer 0", "failed with exit code 1 .fault", 60)


@pytest.mark.parametrize("body, unicorn_says, qemu_says, timeout_s", [HANG, CRASH], ids=["hang", "crash"])
def test_a_guest_that_hangs_or_crashes_is_told(body, unicorn_says, qemu_says, timeout_s, small, tmp_path):
    build.copy_sources(generate(read_network(small)), tmp_path)
    source = (tmp_path / "model.c").read_text()
    (tmp_path / "model.c").write_text(re.sub(r"void layer_0\(void\) \{.*?\}", f"void layer_0(void) {{ {body} }}", source))
    image, images = build.build_firmware(tmp_path, "broken"), random_inputs(small, 1)
    with pytest.raises(UserError, match=unicorn_says):
        Machine(image, timeout_s=0.5).infer(images[0])
    need_qemu()
    with pytest.raises(UserError, match=qemu_says):
        run_qemu(image.path, images, timeout_s)
    assert QEMU not in [child.name() for child in psutil.Process().children(recursive=True)]


def test_a_slow_compiler_is_stopped(small, own_temporary_folder):
    with pytest.raises(UserError, match="compiling took more than"):
        cortex_m.simulate(small, random_inputs(small, 1), timeout_s=0.01)


def test_split_words_keeps_what_is_read_and_written():
    assert cycles.split_words("ldrd\tr2, r9, [r8], #8") == ["ldr\tr9, [r8]", "ldr\tr2, [r8], #8"]
    assert cycles.split_words("pop.w\t{r4, pc}") == ["ldr\tr4, [sp]", "ldr\tpc, [sp]"]
    assert cycles.split_words("smlad\tr0, r1, r2, r0") == ["smlad\tr0, r1, r2, r0"]


def test_the_exported_folder_builds_and_runs(small, tmp_path):
    folder = cortex_m.export_firmware(small, tmp_path / "firmware")
    subprocess.run(["make", "-s", f"PYTHON={sys.executable}"], cwd=folder, check=True, timeout=120)
    assert (folder / "firmware.elf").is_file() and "model_run()" in (folder / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["firmware"]
    with pytest.raises(UserError, match="exists already"):
        cortex_m.export_firmware(small, folder)
    if shutil.which("arm-none-eabi-gcc"):  # not in apt.txt: half a gigabyte
        subprocess.run(["make", "-s", "-B", "CROSS=gcc", "firmware.elf"], cwd=folder, check=True, timeout=120)
    need_qemu()
    done = subprocess.run(
        ["make", "-s", "run", f"PYTHON={sys.executable}"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout + done.stderr).split()[:4] == (folder / "expected_logits.txt").read_text().split()
