"""How the trials a minute grow with the workers, measured on one database, and what that means for long studies.

The trial is the real one: a network written down, planned and priced on a platform, its accuracy asked of the surrogate.
"""

import os
import secrets
from dataclasses import replace

import pandas as pd

from ...base.results import REFERENCE
from .local_postgres import find_postgres, local_postgres
from .search import Search
from .storage import open_storage, storage_url
from .study import open_study
from .workers import explore

SETTLED = 0.25  # share of the trials that is not timed: workers are starting


def measure_scaling(search: Search, place: str, trials: int = 120, team: tuple[int, ...] = (1, 4)) -> pd.DataFrame:
    """A row for each number of workers: workers, cores, trials, seconds, trials_per_minute, ratio (to the first row),
    trial_seconds (median, as seen by the worker), load (other processes' before the start), evidence.

    Each row is a study of its own at `place` (`storage.HELP`). Timed from a quarter of the trials on, first start to
    last end, so that starting Python does not count.
    """
    rows = []
    for workers in team:
        load = os.getloadavg()[0]
        alone = replace(search, name=f"scaling-{workers}-{secrets.token_hex(4)}")
        table = explore(alone, trials, place, workers)
        ends = _ends(alone, place)
        first = int(len(ends) * SETTLED)
        seconds = (ends[-1] - ends[first]).total_seconds()
        rows.append({
            "workers": workers, "cores": len(os.sched_getaffinity(0)), "trials": len(ends) - 1 - first, "seconds": seconds,
            "trial_seconds": float(table["seconds"].iloc[first:].median()), "load": load,
        })  # fmt: skip
    result = pd.DataFrame(rows)
    result["trials_per_minute"] = 60 * result["trials"] / result["seconds"]
    return result.assign(ratio=result["trials_per_minute"] / result["trials_per_minute"].iloc[0], evidence="measured")


def estimate_study_hours(
    trial_seconds: dict[str, tuple[float, float]], overhead_s: float, efficiency: float,
    trials=(100, 1000, 10_000), team=(1, 4, 16, 64),
) -> pd.DataFrame:  # fmt: skip
    """Hours of a study: trials x (trial + overhead) / workers, with `hours_low` .. `hours_high`.

    `trial_seconds`: a kind of trial -> (shortest, longest quartile) in s on one worker with a core of its own; `overhead_s`
    what the database adds to each; `efficiency` what a worker among several still reaches (1: no loss): it counts in the
    high end. The database serves one trial in `overhead_s` at most, which bounds large teams from below.

    >>> row = estimate_study_hours({"training": (3600.0, 3600.0)}, 0.0, 0.5, (100,), (10,)).iloc[0]
    >>> float(row["hours_low"]), float(row["hours_high"])
    (10.0, 20.0)
    """
    rows = []
    for kind, (short, long) in trial_seconds.items():
        for count in trials:
            for workers in team:
                best = max((short + overhead_s) / workers, overhead_s)
                worst = max((long + overhead_s) / (workers * (efficiency if workers > 1 else 1.0)), overhead_s)
                rows.append({"trial": kind, "trials": count, "workers": workers, "hours": count * (best + worst) / 7200,
                             "hours_low": count * best / 3600, "hours_high": count * worst / 3600})  # fmt: skip
    return pd.DataFrame(rows).assign(evidence="modelled")


def expected_hours(speed: pd.DataFrame, brief: pd.DataFrame) -> pd.DataFrame:
    """`estimate_study_hours` for the two kinds of trial: one that asks the surrogate (`speed`: `measure_scaling`) and one
    that trains briefly (`brief`: `study.explored.measure_points`, its quartiles of seconds)."""
    alone, team = speed.iloc[0], speed.iloc[-1]
    cheap = float(alone["trial_seconds"])
    overhead = max(60 / alone["trials_per_minute"] - cheap, 0.0)
    efficiency = min(1.0, team["ratio"] / min(team["workers"], team["cores"]))
    quartiles = tuple(brief["seconds"].quantile([0.25, 0.75]))
    return estimate_study_hours({"asks the surrogate": (cheap, cheap), "trains briefly": quartiles}, overhead, efficiency)


def _ends(search: Search, place: str) -> list:
    """When the complete trials ended, in order."""
    study = open_study(search, open_storage(storage_url(place)))
    return sorted(trial.datetime_complete for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE")


def scaling_table(search: Search, trials: int, retrain: bool = False, team: tuple[int, ...] = (1, 4)) -> pd.DataFrame:
    """`measure_scaling` on a PostgreSQL of our own, or what is recorded of it (unless `retrain` and there is a PostgreSQL)."""
    path = REFERENCE / "exploration_scaling.csv"
    if path.is_file() and not (retrain and find_postgres()):
        return pd.read_csv(path)
    with local_postgres() as server:
        return measure_scaling(search, server.url, trials, team)
