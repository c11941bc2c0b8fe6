"""How INT8 fails: one mistake at a time on the same FP32 file, then the cures for the mistake that is inside the file.

Every cause is the plain post-training conversion (one scale a channel, right calibration images, biases as they come)
with one thing wrong; the casts feed the well-made INT8 file wrongly. Every cure starts from one scale a tensor.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.quiet import progress
from ..base.reference import required_table
from ..base.remembered import remembered_table
from .benchmark import open_model, quantize_input, wilson_interval
from .data import Dataset
from .equalization import compare_ranges, equalize, silence
from .plain_int8 import convert_int8, convert_weights, correct_biases
from .preprocessing import to_input
from .quantization import calibration_images, calibration_inputs, quantize

DEPTHWISE, ALL = ("DEPTHWISE_CONV_2D",), ("DEPTHWISE_CONV_2D", "CONV_2D", "FULLY_CONNECTED")
BATCH = 50


@dataclass(frozen=True)
class Experiment:
    """`make` returns the .tflite; `feed` turns floats in [-1, 1] into what is put into its input."""

    name: str
    group: str
    done: str
    make: Callable[[], bytes]
    feed: Callable[[np.ndarray, dict], np.ndarray] = quantize_input


def failures(fp32: Path, data: Dataset | None, p) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`measure_failures` and `compare_ranges` for the parameters `p` of notebook 03b, or the tables recorded for `fp32`.

    What this profile has measured on this host is found again. UserError when the data set is not here and nothing is
    recorded for this file.
    """
    checksum = artifacts.sha256(fp32)
    if data is not None:
        settings = {"images": p.calibration_images, "test_images": p.failure_images, "seed": p.seed, "data": data.fingerprint}

        def images() -> np.ndarray:
            return calibration_images(data, p.calibration_images, p.seed)

        def measure() -> pd.DataFrame:
            return measure_failures(fp32, data, images(), p.failure_images, p.seed)

        accuracies = remembered_table("int8_failures", checksum, p.profile, settings, measure)
        ranges = remembered_table("int8_ranges", checksum, p.profile, settings, lambda: measure_ranges(fp32, images()))
        return accuracies, ranges
    accuracies, ranges = (required_table(name, checksum, fp32.name) for name in ("int8_failures", "int8_channel_ranges"))
    return accuracies, ranges


def measure_failures(fp32: Path, data: Dataset, images: np.ndarray, n_test: int, seed: int = 0) -> pd.DataFrame:
    """Accuracy of each experiment on the same `n_test` test images, drawn once; `images` (uint8) calibrate.

    Columns: name, group (reference, cause, cure), done (what was done), accuracy, accuracy_low, accuracy_high,
    accuracy_n, chance (1 / classes), dataset, evidence, sha256 (of the FP32 file). UserError when the data
    set has fewer test images.
    """
    if not 0 < n_test <= len(data.x_test):
        raise UserError(f"failure_images {n_test}: give a number from 1 to {len(data.x_test)} (the test images).")
    chosen = np.random.default_rng(seed).permutation(len(data.x_test))[:n_test]
    common = {"chance": 1 / len(data.classes), "dataset": data.name, "evidence": "measured", "sha256": artifacts.sha256(fp32)}
    rows, made = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for experiment in progress(experiments(fp32, images, Path(folder), seed), "INT8 failures"):
            if experiment.make not in made:
                made[experiment.make] = Path(folder) / f"{len(made)}.tflite"
                made[experiment.make].write_bytes(experiment.make())
            model = made[experiment.make]
            correct = count_correct(model, data.x_test[chosen], data.y_test[chosen], experiment.feed)
            low, high = wilson_interval(correct, n_test)
            told = {"name": experiment.name, "group": experiment.group, "done": experiment.done}
            share = {"accuracy": correct / n_test, "accuracy_low": low, "accuracy_high": high, "accuracy_n": n_test}
            rows.append({**told, **share, **common})
    return pd.DataFrame(rows)


def add_qat(table: pd.DataFrame, variants: pd.DataFrame, architecture: str = "baseline") -> pd.DataFrame:
    """`table` with one more cure: the accuracy of quantisation-aware training from notebook 03's table, if it is there."""
    trained = variants[(variants["architecture"] == architecture) & (variants["precision"] == "int8_qat")]
    named = trained.assign(name="trained for it (QAT)", group="cure", done="fine-tuned with the rounding in place",
                           chance=table["chance"].iloc[0], sha256=table["sha256"].iloc[0])  # fmt: skip
    return pd.concat([table, named[list(table)]], ignore_index=True) if len(trained) else table


def measure_ranges(fp32: Path, images: np.ndarray) -> pd.DataFrame:
    """`compare_ranges` of `fp32` and its equalised self, with the FP32 file's sha256."""
    with tempfile.TemporaryDirectory() as folder:
        after = Path(folder) / "equalized.fp32.tflite"
        after.write_bytes(equalize(fp32, calibration_inputs(fp32, images)))
        return compare_ranges(fp32, after).assign(sha256=artifacts.sha256(fp32))


def experiments(fp32: Path, images: np.ndarray, folder: Path, seed: int = 0) -> list[Experiment]:
    """The table of experiments, from the input inwards. `folder` takes the changed FP32 files."""
    x = calibration_inputs(fp32, images)
    noise = np.random.default_rng(seed).uniform(-1, 1, x.shape)
    equal, silent = folder / "equalized.fp32.tflite", folder / "silenced.fp32.tflite"
    equal.write_bytes(equalize(fp32, x))
    content, silenced = silence(fp32, x)
    silent.write_bytes(content)

    def good() -> bytes:
        return quantize(fp32, "int8_ptq", images)

    def plain() -> bytes:
        return convert_int8(fp32, x)

    def weights_only() -> bytes:
        return convert_weights(fp32)

    def calibrated(inputs) -> Callable[[], bytes]:
        return lambda: convert_int8(fp32, inputs)

    def one_scale(source: Path, layers: tuple = ALL) -> Callable[[], bytes]:
        return lambda: convert_int8(source, x, layers)

    def corrected(source: Path) -> Callable[[], bytes]:
        target = folder / f"corrected.{source.name}"
        target.write_bytes(correct_biases(source, x))
        return one_scale(target)

    rows = {
        "reference": [
            ("FP32", "the float file", fp32.read_bytes),
            ("FP32, equalised", "the float file after equalisation", equal.read_bytes),
            ("INT8, done right", "a scale a channel, biases corrected, input quantised", good),
        ],
        "cause": [
            ("pixel bytes cast", "pixels 0 to 255 cast to int8: from 128 on they turn negative", good, cast_bytes),
            ("input in [0, 1] cast", "floats in [0, 1] cast to int8: 0 is left, and a 1 for white", good, cast_unit),
            ("input in [-1, 1] cast", "floats in [-1, 1] cast to int8: nearly all become 0", good, cast),
            ("calibration scaled twice", "calibrated on inputs x scaled again: x / 127.5 - 1", calibrated(x / 127.5 - 1)),
            ("calibration in [0, 255]", "calibrated on pixels that were never scaled", calibrated((x + 1) * 127.5)),
            ("calibration in [0, 1]", "calibrated on pixels / 255; the network expects [-1, 1]", calibrated((x + 1) / 2)),
            ("calibration on noise", "calibrated on uniform noise in [-1, 1]", calibrated(noise)),
            ("1 calibration image", "calibrated on a single image", calibrated(x[:1])),
            ("10 calibration images", "calibrated on ten images", calibrated(x[:10])),
            ("rounding bias left in", "plain conversion: biases not corrected", plain),
            ("1 scale, depthwise", "one weight scale a tensor in depthwise layers", one_scale(fp32, DEPTHWISE)),
            ("1 scale, all layers", "one weight scale a tensor in every layer", one_scale(fp32)),
            ("1 scale, weights only", "one weight scale a tensor, only weights rounded, float arithmetic", weights_only),
        ],
        "cure": [
            ("1 scale a channel", "one weight scale a channel, biases not corrected", plain),
            ("biases corrected", "one scale a tensor, biases corrected for its rounding", corrected(fp32)),
            (
                "silent channels at 0",
                f"one scale a tensor, {silenced} channels without input at 0",
                one_scale(silent),
            ),
            ("equalised", "one scale a tensor after cross-layer equalisation", one_scale(equal)),
            ("equalised, corrected", "one scale a tensor, equalised, biases corrected", corrected(equal)),
        ],
    }
    return [Experiment(name, group, *rest) for group, some in rows.items() for name, *rest in some]


def cast(x: np.ndarray, detail: dict) -> np.ndarray:
    """What `x.astype(int8)` leaves of floats in [-1, 1]."""
    return x.astype(detail["dtype"])


def cast_unit(x: np.ndarray, detail: dict) -> np.ndarray:
    return ((x + 1) / 2).astype(detail["dtype"])


def cast_bytes(x: np.ndarray, detail: dict) -> np.ndarray:
    """What a cast makes of the bytes 0 to 255: int8 takes them modulo 256."""
    return np.rint((x + 1) * 127.5).astype(np.uint8).astype(detail["dtype"])


def count_correct(model: Path, images: np.ndarray, labels: np.ndarray, feed: Callable = quantize_input) -> int:
    """How many uint8 images the .tflite classifies right when `feed` fills its input."""
    correct, opened, interpreter = 0, 0, None
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        if len(part) != opened:
            interpreter, opened = open_model(model, threads=os.cpu_count() or 1, batch=len(part)), len(part)
            source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.set_tensor(source["index"], feed(to_input(part, source["shape"][1]), source))
        interpreter.invoke()
        predicted = interpreter.get_tensor(target["index"]).argmax(-1)
        correct += int((predicted == labels[start : start + BATCH]).sum())
    return correct
