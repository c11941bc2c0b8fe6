"""Peak memory of .tflite segments that are loaded one after the other, each freed before the next one comes.

Measured by the kernel (VmHWM of /proc) in a fresh process that imports NumPy and LiteRT and nothing else:
`python -m hwaware_utils.study.chain_memory <plain|xnnpack> <segment>...`.
"""

import contextlib
import ctypes
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RUNTIMES = ("xnnpack", "plain")


def measure_chain_memory(segments: list[Path], runtime: str = "xnnpack", repeats: int = 3) -> dict:
    """`peak_kib` above the idle runtime, and `reload_ms`: the time to load, run and free all segments once.

    Medians of `repeats` processes. `xnnpack` is LiteRT's default and keeps a second, repacked copy of the weights;
    `plain` kernels read the weights where the file is mapped. NaN where the kernel does not tell (Linux only).
    """
    command = [sys.executable, "-m", "hwaware_utils.study.chain_memory", runtime, *(str(Path(s).resolve()) for s in segments)]
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=300, cwd=Path(__file__).resolve().parents[2]
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: median(run[name] for run in runs) for name in runs[0]}


def _run_once(segments: list[str], runtime: str) -> None:
    values = None
    for path in segments:
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if runtime == "plain" else OpResolverType.AUTO
        interpreter = Interpreter(model_path=path, num_threads=1, experimental_op_resolver_type=plain)
        interpreter.allocate_tensors()
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.set_tensor(source["index"], np.zeros(source["shape"], source["dtype"]) if values is None else values)
        interpreter.invoke()
        values = interpreter.get_tensor(target["index"])
        del interpreter
        _give_back()


def _give_back() -> None:
    """Return freed memory to the system: what the allocator keeps would hide the next segment's need."""
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)


def _status_kib(field: str) -> float:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{field}:")), float("nan"))


def _main(runtime: str, *segments: str) -> None:
    _run_once(list(segments), runtime)  # the runtime's own code is loaded now, and counts no more
    peak = float("nan")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM back to the present size
        idle, start = _status_kib("VmRSS"), time.perf_counter()
        _run_once(list(segments), runtime)
        peak = _status_kib("VmHWM") - idle
    start = time.perf_counter()
    _run_once(list(segments), runtime)
    print(json.dumps({"peak_kib": peak, "reload_ms": 1e3 * (time.perf_counter() - start)}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
