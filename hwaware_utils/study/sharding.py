"""Model sharding: a network in several files, so that a device holds one part of it at a time."""

import tempfile
import time
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import progress
from ..workload import load_tensors, load_workload
from .benchmark import host_platform, open_model, pinned, quantize_input
from .chain_memory import measure_chain_memory
from .split import cut_points, split

MOST_SEGMENTS = 4


def choose_cuts(model: Path, n: int) -> list[int]:
    """The cuts into `n` segments (1-4) for which the largest segment needs the fewest bytes.

    A segment needs its weights plus its activations at their peak. All combinations of cut points are tried; among
    equals, the one that hands on the fewest bytes wins. UserError when the model cannot be cut into so many.
    """
    points = cut_points(model)
    if not 1 <= n <= min(MOST_SEGMENTS, len(points) + 1):
        most = min(MOST_SEGMENTS, len(points) + 1)
        raise UserError(f"{n} segments: give a number from 1 to {most} for {Path(model).name}.")
    weights, alive = _bytes_by_operator(model)
    places = [-1, *points["index"], len(weights) - 1]
    handed_on = dict(zip(points["index"], points["bytes"], strict=True))
    need = {(a, b): weights[a + 1 : b + 1].sum() + alive[a + 1 : b + 1].max() for a, b in combinations(places, 2)}

    def cost(cuts):
        ends = (places[0], *cuts, places[-1])
        return max(need[pair] for pair in pairwise(ends)), sum(handed_on[cut] for cut in cuts)

    return [int(cut) for cut in min(combinations(places[1:-1], n - 1), key=cost)]


def _bytes_by_operator(model: Path) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of weights of each operator, and of the activations that live while it runs."""
    operators, tensors = load_workload(model), load_tensors(model)
    alive = [tensors.loc[(tensors["first"] <= k) & (k <= tensors["last"]), "bytes"].sum() for k in range(len(operators))]
    return operators["weight_bytes"].to_numpy(), np.array(alive)


def run_chain(interpreters: list, values: np.ndarray) -> np.ndarray:
    """What comes out of the last segment when `values`, in the type of the first one's input, go through all of them."""
    for interpreter in interpreters:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
        interpreter.invoke()
        values = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return values


def measure_sharding(models: dict[str, Path], segments=(1, 2, 3, 4), n_runs: int = 100, repeats: int = 3) -> pd.DataFrame:
    """Memory, time and bytes handed on of each model in each number of segments, cut by `choose_cuts`.

    Columns: variant, segments, cuts; peak_kib and reload_ms with one segment loaded at a time (XNNPACK; in fresh
    processes, medians of `repeats`), peak_in_place_kib the same with kernels that make no copy of the weights;
    largest_file_bytes, transfer_bytes (activations handed on in one inference); latency_ms with its 10th and 90th
    percentile when all segments stay loaded (batch 1, one thread, all rows interleaved); outputs_equal (bit by bit, to
    the whole model, on 8 random inputs); n_runs, platform, evidence.
    """
    rows, chains = [], []
    with tempfile.TemporaryDirectory() as folder, pinned(1):
        plans = [(variant, model, n) for variant, model in models.items() for n in segments]
        for number, (variant, model, n) in enumerate(progress(plans, "splitting")):
            cuts = choose_cuts(model, n)
            files = _write(model, cuts, Path(folder) / str(number)) if cuts else [model]
            chains.append([open_model(file) for file in files])
            in_place = measure_chain_memory(files, "plain", repeats)["peak_kib"]
            rows.append(
                {"variant": variant, "segments": n, "cuts": " ".join(map(str, cuts))}
                | measure_chain_memory(files, "xnnpack", repeats)
                | {"peak_in_place_kib": in_place, "largest_file_bytes": max(file.stat().st_size for file in files)}
                | {"transfer_bytes": int(cut_points(model).set_index("index")["bytes"].loc[cuts].sum())}
                | {"outputs_equal": _same_bits(open_model(model), chains[-1])}
            )
        times = _time_interleaved(chains, n_runs)
    spread = np.percentile(times, (50, 10, 90), axis=1)
    table = pd.DataFrame(rows).assign(latency_ms=spread[0], latency_ms_low=spread[1], latency_ms_high=spread[2])
    return table.assign(n_runs=n_runs, platform=host_platform(), evidence="measured")


def _write(model: Path, cuts: list[int], stem: Path) -> list[Path]:
    files = [stem.with_name(f"{stem.name}.{k}.tflite") for k in range(len(cuts) + 1)]
    for file, content in zip(files, split(model, cuts), strict=True):
        file.write_bytes(content)
    return files


def _inputs(interpreter, n: int) -> list[np.ndarray]:
    detail, rng = interpreter.get_input_details()[0], np.random.default_rng(0)
    return [quantize_input(rng.uniform(-1, 1, detail["shape"]).astype(np.float32), detail) for _ in range(n)]


def _same_bits(whole, chain: list) -> bool:
    inputs = _inputs(whole, 8)
    return all(run_chain([whole], x).tobytes() == run_chain(chain, x).tobytes() for x in inputs)


def _time_interleaved(chains: list[list], n_runs: int, warm_up_runs: int = 10) -> np.ndarray:
    """Milliseconds (chains, n_runs), hand-over included. Interleaved, so that a busy moment hits all of them alike."""
    inputs = [_inputs(chain[0], 1)[0] for chain in chains]
    samples = np.empty((len(chains), n_runs))
    for run in progress(range(-warm_up_runs, n_runs), "timing"):
        for number, (chain, values) in enumerate(zip(chains, inputs, strict=True)):
            start = time.perf_counter()
            run_chain(chain, values)
            if run >= 0:
                samples[number, run] = 1e3 * (time.perf_counter() - start)
    return samples
