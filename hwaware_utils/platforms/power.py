"""The power of a board while it infers, from the energies that others published: energy / latency, submission by submission.

A submission is one board with one runtime and one version of it. Its power hardly depends on the network; from one
submission to the next it does: supply, voltage and the library's version change.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from .energy_constants import load_energy_constants
from .published import load_published
from .specs import PlatformSpec
from .student import student_factor

COVERAGE = 0.9
_RUNTIME = re.compile(r"(?:X-CUBE-AI|STM32Cube\.AI)[ -]v?(\d+)(?:\.(\d+))?", re.IGNORECASE)


@dataclass(frozen=True)
class Power:
    """Watts; the truth lies in `low` .. `high` nine times out of ten; `basis` says in one sentence where they come from."""

    value: float
    low: float
    high: float
    basis: str


@lru_cache(maxsize=1)
def _energy_rows() -> pd.DataFrame:
    rows = load_published()
    rows = rows[rows["energy_uj"].notna()].reset_index(drop=True)
    submission = rows["source"] + ", " + rows["runtime"] + ", " + rows["precision"]
    return rows.assign(submission=submission, power_w=rows["energy_uj"] / rows["latency_ms"] / 1e3)


def load_published_power() -> pd.DataFrame:
    """Every published row with an energy: the columns of `load_published` with `submission` and `power_w`."""
    return _energy_rows().copy()


def microcontroller_rows() -> pd.DataFrame:
    """The rows of MLPerf Tiny among them."""
    rows = load_published_power()
    return rows[rows["source"].str.startswith("MLPerf Tiny")].reset_index(drop=True)


def runtime_version(runtime: str, version: str = "") -> float | None:
    """7.3 for any spelling of ST's runtime with this version, None for another runtime; `7.x` counts as 7.

    >>> runtime_version("STM32Cube.AI", "10.0.0"), runtime_version("Krai: X-CUBE-AI-7.3"), runtime_version("TinyEngine")
    (10.0, 7.3, None)
    """
    match = _RUNTIME.search(f"{runtime} {version}")
    return float(f"{match[1]}.{match[2] or 0}") if match else None


def spread_factor(rows: pd.DataFrame, known: int) -> float:
    """Factor of the 90 % interval of one more network on a board whose power is the geometric mean of `known` rows.

    exp(t * s * sqrt(1 + 1 / known)): s is the deviation in log within the submissions of `rows`, pooled; Student's t with
    rows - submissions degrees of freedom. Raises ValueError if no submission has two rows.
    """
    logs = rows["power_w"].map(math.log)
    groups = logs.groupby(rows["submission"])
    freedom = len(rows) - groups.ngroups
    if freedom < 1:
        raise ValueError("no submission has two rows: the spread within a submission is unknown.")
    variance = float((logs - groups.transform("mean")).pow(2).sum()) / freedom
    return math.exp(student_factor(freedom, COVERAGE) * math.sqrt(variance * (1 + 1 / known)))


def geometric_mean(values: pd.Series) -> float:
    """exp of the mean of the logs: the errors of a power are relative."""
    return math.exp(float(values.map(math.log).mean()))


def submission_powers(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per submission: `submission, version, freq_mhz, rows, power_w` (geometric mean of its rows)."""
    groups = rows.groupby("submission", sort=True)
    table = groups.agg(runtime=("runtime", "first"), freq_mhz=("freq_mhz", "first"), rows=("power_w", "size"))
    table["power_w"], table["version"] = groups["power_w"].apply(geometric_mean), table["runtime"].map(runtime_version)
    return table.drop(columns="runtime").reset_index()


def borrow_power(powers: pd.DataFrame, version: float | None) -> tuple[float, int]:
    """Watts for a runtime version that nobody metered: the submissions of the nearest version (geometric mean), all of
    them for another runtime; and how many they are."""
    chosen = powers
    if version is not None and version == version and powers["version"].notna().any():
        distance = (powers["version"] - version).abs()
        chosen = powers[distance <= distance.min()]
    return geometric_mean(chosen["power_w"]), len(chosen)


def across_factor(powers: pd.DataFrame) -> float:
    """Factor of the 90 % interval of a submission that nobody metered: each of `powers` is predicted from the others."""
    residuals = [
        math.log(row.power_w / borrow_power(powers.drop(index=row.Index), row.version)[0]) for row in powers.itertuples()
    ]
    # Held-out residuals already hold the error of the borrowed mean: no factor for it.
    spread = math.sqrt(math.fsum(x * x for x in residuals) / len(residuals))
    return math.exp(student_factor(len(residuals) - 1, COVERAGE) * spread)


@lru_cache(maxsize=64)
def _microcontroller_power(energy_rows: tuple, version: float | None, clock_mhz: float) -> Power:
    rows = microcontroller_rows()
    if energy_rows:
        own = rows[(rows[[c for c, _ in energy_rows]].astype(str) == [str(v) for _, v in energy_rows]).all(axis=1)]
        value, factor = geometric_mean(own["power_w"]), spread_factor(rows, len(own))
        return Power(value, value / factor, value * factor, f"{len(own)} published energies of this board and runtime")
    powers = submission_powers(rows)
    value, used = borrow_power(powers, version)
    factor, clock = across_factor(powers), float(powers["freq_mhz"].iloc[0])
    factor *= load_energy_constants("microcontroller")["borrowed_board_spread"].value
    which = "with the nearest version of this runtime" if version is not None else "with another runtime"
    basis = f"borrowed: published submissions {which} ({used}), another board at {clock:.0f} MHz, scaled with the clock"
    value *= clock_mhz / clock
    return Power(value, value / factor, value * factor, basis)


def _npu_power(spec: PlatformSpec) -> Power:
    """From doing nothing to every MAC and every port busy all the time: nothing narrower is known without a published board."""
    costs, hertz = load_energy_constants("npu"), spec.value("clock_mhz") * 1e6
    rates = (
        ("mac_int8_pj", spec.value("macs_per_cycle_int8") * hertz),
        ("near_pj_per_byte", spec.value("cache_bandwidth_bytes_per_cycle") * hertz),
        ("far_pj_per_byte", spec.value("memory_bandwidth_gb_s") * 1e9),
    )
    low = costs["static_w"].low
    high = costs["static_w"].high + sum(costs[name].high * 1e-12 * rate for name, rate in rates)
    return Power(math.sqrt(low * high), low, high, "assumed: between idle and every MAC and port busy")


def active_power(spec: PlatformSpec, threads: int = 1) -> Power:
    """Power of the platform while `threads` cores infer.

    Microcontroller: its board's published energies, or those of another board scaled with the clock. Application cores:
    the YAML's constants, linear between one thread and all cores. NPU: the range of what it can take at all.
    """
    if spec.kind == "microcontroller":
        version = runtime_version(spec.runtime, spec.runtime_version)
        return _microcontroller_power(tuple(sorted(spec.energy_rows.items())), version, spec.value("clock_mhz"))
    if spec.kind == "npu":
        return _npu_power(spec)
    one, every, cores = spec.constants["power_one_thread_w"], spec.constants["power_all_cores_w"], spec.value("cores")
    share = (threads - 1) / (cores - 1) if cores > 1 else 0.0
    value, low, high = ((1 - share) * getattr(one, x) + share * getattr(every, x) for x in ("value", "low", "high"))
    return Power(value, low, high, f"{one.evidence}: {one.source}")
