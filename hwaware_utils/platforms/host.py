"""What can be read about the machine that runs the book: cores, clock, memory and instruction set."""

from pathlib import Path

import psutil


def detect_constants(instruction_sets) -> dict[str, tuple[float, str]]:
    """Constants of this host by name -> (value, source). What cannot be read is left out.

    `instruction_sets` lists `{flag, fp32, int8}` (MACs a cycle and core); the first whose flag the processor has counts.
    """
    found: dict[str, tuple[float, str]] = {
        "cores": (psutil.cpu_count(logical=False) or psutil.cpu_count() or 1, "psutil.cpu_count(logical=False)"),
        "ram_kib": (psutil.virtual_memory().total // 1024, "psutil.virtual_memory().total"),
    }
    clock = _clock_mhz()
    if clock:
        found["clock_mhz"] = (clock, "the higher of the assumed boost clock and what psutil.cpu_freq() reports")
    flags = _flags()
    chosen = next((entry for entry in instruction_sets if entry["flag"] in flags), None)
    if chosen:
        source = f"flag {chosen['flag']} in /proc/cpuinfo, two vector pipes assumed"
        found["macs_per_cycle_fp32"] = (chosen["fp32"], source)
        found["macs_per_cycle_int8"] = (chosen["int8"], source)
    return found


def _clock_mhz() -> float:
    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError):  # some containers hide the clock
        return 0.0
    return max(frequency.max or 0.0, frequency.current or 0.0) if frequency else 0.0


def _flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())
