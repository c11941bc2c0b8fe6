"""What a training step of a model takes, measured: memory, time and losses, with and without gradient checkpointing.

Every measurement is a fresh process, so that nothing an earlier one has reserved counts. A model is given as a Keras
model object of Keras' own layers, or as the name `module:function` of what builds it. No TensorFlow in this process.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.artifacts import Artifact
from ..base.errors import UserError
from ..base.quiet import progress
from ..base.reference import required_table
from ..base.remembered import remembered_table
from ..base.results import ROOT
from .hand_over import checked_builder, hand_over
from .trained import keras_model

OUT_OF_MEMORY = ("ResourceExhausted", "OOM when allocating", "MemoryError", "bad_alloc", "out_of_memory", "Cannot allocate")


def describe_training_memory(source: Artifact, p, live: bool, say=print) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`compare_checkpointing` and `search_batch_size` for the network of `source`, measured now or as recorded for it.

    Of the parameters `p`: memory_batches, memory_repeats, memory_steps, memory_limit_mib, profile. `live`: training
    belongs to the runs that have the data set (minutes; what this profile has measured on this host is found again);
    without it a UserError when nothing is recorded.
    """
    checksum = source.facts["files"]["fp32"]["sha256"]
    if not live:
        return tuple(required_table(name, checksum, source.name) for name in ("training_memory", "batch_search"))
    network = functools.cache(lambda: keras_model(source))

    def compare() -> pd.DataFrame:
        return compare_checkpointing(network(), p.memory_batches, p.memory_repeats, p.memory_steps)

    def search() -> pd.DataFrame:
        return search_batch_size(network(), p.memory_limit_mib, checkpointed=True, say=say)

    settings = {"batches": p.memory_batches, "repeats": p.memory_repeats, "steps": p.memory_steps}
    compared = remembered_table("training_memory", checksum, p.profile, settings, compare)
    searched = remembered_table("batch_search", checksum, p.profile, {"limit_mib": p.memory_limit_mib}, search)
    return compared.assign(sha256=checksum), searched.assign(sha256=checksum)


def measure_training_memory(
    model, batch: int, checkpointed: bool = False, steps: int = 4, *, segments: int | None = None,
    arguments: dict | None = None, optimizer: str = "adam", seed: int = 0, limit_mib: float | None = None,
) -> dict:  # fmt: skip
    """Train `model` for `steps` steps on random images of one fixed batch in a fresh process.

    Returns `batch, method, peak_mib, peak_is, rss_mib, losses, images_per_s, cpu_s_per_step, died, evidence`. `peak_mib`
    is what TensorFlow's allocator had in use at most: weights, optimiser, batch, activations, gradients; where it keeps
    no statistics, the growth of the process (`peak_is`). `rss_mib` is that growth in any case, TensorFlow's own work
    included. The first step is not timed; CPU seconds are the least of a step, images a second the median. With a
    `limit_mib`, the kernel refuses a process that takes about twice as much; a process that dies of memory has `died`
    set and no numbers. `arguments` go to the builder. UserError when the model cannot be handed over, or its training
    fails for another reason.
    """
    _check_counts(batch=batch, steps=steps)
    order = {"batch": batch, "checkpointed": checkpointed, "steps": steps, "segments": segments, "optimizer": optimizer,
             "seed": seed, "limit_mib": limit_mib, "build": None, "arguments": arguments or {}}  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if isinstance(model, str):
            order["build"] = checked_builder(model)
        else:
            hand_over(model, folder)
        (folder / "order.json").write_text(json.dumps(order))
        paths = os.pathsep.join([str(ROOT), *(path for path in sys.path if path)])
        command = [sys.executable, "-m", f"{__package__}.memory_probe", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
        answered = folder / "answer.json"
        answer = json.loads(answered.read_text()) if answered.is_file() else {}
    if "refused" in answer:
        raise UserError(answer["refused"])
    result = {"batch": batch, "method": "checkpointed" if checkpointed else "plain", "peak_mib": np.nan, "peak_is": "",
              "rss_mib": np.nan, "losses": [], "images_per_s": np.nan, "cpu_s_per_step": np.nan, "died": "",
              "evidence": "measured"}  # fmt: skip
    if not answer:
        return result | {"died": _cause_of_death(done, batch)}
    timing = {"images_per_s": batch / statistics.median(answer["wall_s"]), "cpu_s_per_step": min(answer["cpu_s"])}
    return result | {name: answer[name] for name in ("peak_mib", "peak_is", "rss_mib", "losses")} | timing


def compare_checkpointing(model, batches=(32, 64, 128), repeats: int = 2, steps: int = 4, **options) -> pd.DataFrame:
    """Plain and checkpointed training at each batch size: the same losses, less memory, more time.

    Columns `batch, method, peak_mib, rss_mib, images_per_s, cpu_ms_per_image, loss_first, loss_last, saved_share,
    extra_time_share, extra_cpu_share, repeats, evidence`, from `repeats` runs of the two methods in turn: the median, or
    for CPU time the least. The shares are against plain training; on a machine that does other work too, the one of CPU
    time is the more certain.
    `options` are those of `measure_training_memory`.
    """
    _check_counts(repeats=repeats, **{f"batches[{i}]": batch for i, batch in enumerate(batches)})
    runs = [(batch, small) for batch in batches for _ in range(repeats) for small in (False, True)]
    results = [measure_training_memory(model, batch, small, steps, **options) for batch, small in progress(runs, "training")]
    for result in results:
        if result["died"]:
            raise UserError(
                f"{result['method']} training at batch {result['batch']} died ({result['died']}): try a smaller batch."
            )
    frame = pd.DataFrame(results)
    frame["loss_first"], frame["loss_last"] = frame["losses"].str[0], frame["losses"].str[-1]
    frame["cpu_ms_per_image"] = 1e3 * frame["cpu_s_per_step"] / frame["batch"]
    columns = ["peak_mib", "rss_mib", "images_per_s", "cpu_ms_per_image", "loss_first", "loss_last"]
    how = dict.fromkeys(columns, "median") | {"cpu_ms_per_image": "min"}
    table = frame.groupby(["batch", "method"], sort=False).agg(how).reset_index()
    plain = table[table["method"] == "plain"].set_index("batch")

    def against_plain(column: str) -> pd.Series:
        return table[column] / table["batch"].map(plain[column])

    return table.assign(
        saved_share=1 - against_plain("peak_mib"), extra_time_share=1 / against_plain("images_per_s") - 1,
        extra_cpu_share=against_plain("cpu_ms_per_image") - 1, repeats=repeats, evidence="measured",
    )  # fmt: skip


def search_batch_size(
    model, limit_mib: float, checkpointed: bool = False, *, start: int = 8, multiple: int = 8, most: int = 1024, steps: int = 3,
    say=None, **options,
) -> pd.DataFrame:  # fmt: skip
    """The largest batch, a multiple of `multiple`, whose training step peaks at `limit_mib` or less, by measuring.

    Doubles from `start` until a batch does not fit (or `most` is reached), then halves the gap. A row a measurement, in
    the order of trying: `batch, method, peak_mib, limit_mib, fits, images_per_s, died, chosen, evidence`. A process that
    dies of memory does not fit. `say` is called with a sentence after each. UserError when no batch fits.
    """
    _check_counts(start=start, multiple=multiple, most=most, steps=steps)
    if not limit_mib > 0:
        raise UserError(f"limit_mib = {limit_mib!r}: give a memory limit in MiB above 0.")
    tried: dict[int, dict] = {}

    def fits(batch: int) -> bool:
        result = measure_training_memory(model, batch, checkpointed, steps, limit_mib=limit_mib, **options)
        tried[batch] = result | {"limit_mib": limit_mib, "fits": not result["died"] and result["peak_mib"] <= limit_mib}
        if say:
            took = result["died"] or f"{result['peak_mib']:.0f} MiB, {result['images_per_s']:.0f} images/s"
            say(f"batch {batch}, {result['method']}: {took}, {'fits' if tried[batch]['fits'] else 'does not fit'}")
        return tried[batch]["fits"]

    units, limit = max(start // multiple, 1), max(most // multiple, 1)
    low, high = 0, limit + 1  # in multiples: `low` fits, `high` does not or is not allowed
    while units <= limit and fits(units * multiple):
        low = units
        units = min(2 * units, limit) if units < limit else limit + 1
    high = min(units, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * multiple) else (low, middle)
    if low == 0:
        least = tried[min(tried)]
        need = f"takes {least['peak_mib']:.0f} MiB" if not least["died"] else f"dies ({least['died']})"
        raise UserError(f"limit_mib = {limit_mib:g}: even a step of batch {least['batch']} {need}: raise the limit.")
    columns = ["batch", "method", "peak_mib", "limit_mib", "fits", "images_per_s", "died"]
    table = pd.DataFrame(tried.values())[columns]
    return table.assign(chosen=table["batch"] == low * multiple, evidence="measured")


def _check_counts(**counts) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise UserError(f"{name} = {value!r}: give a whole number of 1 or more.")


def _cause_of_death(done: subprocess.CompletedProcess, batch: int) -> str:
    """Why a process left no answer, if memory can be the cause; otherwise UserError with its last words."""
    if any(words in done.stderr for words in OUT_OF_MEMORY):
        return "out of memory"
    if done.returncode < 0:
        return f"killed by signal {-done.returncode}"
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    raise UserError(f"training at batch {batch} failed in its own process: {last[:300]}")
