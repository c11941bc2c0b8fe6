"""Run a study: in this process, or by several that share its storage. The same command on another machine joins in."""

import contextlib
import logging
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable

import pandas as pd
from tqdm import tqdm

from ...base.errors import UserError
from .search import Search
from .storage import HEARTBEAT_S, open_storage, storage_url, told
from .study import counts, open_study, run_trials, trials_table

MOST_WORKERS = 64


def explore(
    search: Search, trials: int, place: str | None = None, workers: int = 1, seed: int = 7, heartbeat_s: int = HEARTBEAT_S,
    population: int = 50, watched: Callable[[list], None] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Continue the study of `search` until `trials` are complete in all, and return its `trials_table`.

    `place` is a file or a database URL (`storage.HELP`), None this process's memory. With one worker the same seed gives
    the same study; workers that join draw their own. `watched` gets the list of worker processes (tests kill one).
    UserError for a number out of range, a damaged or foreign study, a database that is down or goes down.
    """
    for name, value, most in (("trials", trials, 10**6), ("workers", workers, MOST_WORKERS)):
        if not 1 <= value <= most:
            raise UserError(f"{name} {value}: give a number from 1 to {most}.")
    if place is None:
        if workers > 1:
            raise UserError(f"{workers} workers need a common storage: give --storage, a file or a database.")
        study = open_study(search, None, seed, population)
        _run_here(study, search, trials)
        return trials_table(study)
    url = storage_url(place)
    with told(place), _silent():
        study = open_study(search, open_storage(url, heartbeat_s), seed, population)
        before = counts(study)["complete"]
        if before and workers == 1:
            study = open_study(search, study._storage, None, population)  # the seed's draws have been used
        if workers == 1:
            _run_here(study, search, trials)
        elif before < trials:
            _run_processes(search, trials, place, workers, before, (heartbeat_s, population), watched)
        return trials_table(study)


def _run_here(study, search: Search, trials: int) -> None:
    with _bar(trials, counts(study)["complete"]) as bar:
        run_trials(study, search, trials, lambda done: _advance(bar, done))


def _run_processes(search, trials, place, workers, before, settings, watched) -> None:
    context = multiprocessing.get_context("spawn")  # a forked process would share the parent's database connection
    news = context.Queue()
    team = [context.Process(target=_work, args=(search, trials, place, settings, news), daemon=True) for _ in range(workers)]
    for worker in team:
        worker.start()
    if watched:
        watched(team)
    try:
        done, failures = _watch(team, news, trials, before)
    finally:
        for worker in team:
            worker.terminate()
            worker.join()
    if done < trials:
        lost = [f"worker {k} ended by {signal.Signals(-w.exitcode).name}" for k, w in enumerate(team) if (w.exitcode or 0) < 0]
        why = failures or lost or ["the workers ended"]
        raise UserError(why[0] if failures else f"{'; '.join(why)}; run the same command again: the study resumes.")


def _watch(team, news, trials: int, before: int) -> tuple[int, list[str]]:
    """Show how far the workers are until all have ended; the number complete and what they said about failures."""
    done, failures = before, []
    with _bar(trials, before) as bar:
        while any(worker.is_alive() for worker in team) or not news.empty():
            with contextlib.suppress(queue.Empty):
                kind, what = news.get(timeout=0.2)
                if kind == "done":
                    done = max(done, what)
                    _advance(bar, done)
                else:
                    failures.append(what)
    return done, failures


def _work(search: Search, trials: int, place: str, settings: tuple[int, int], news) -> None:
    """One worker: trials until the total is reached, by whomever. Its seed is the machine's, so that no two agree."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    heartbeat_s, population = settings
    try:
        with told(place), _silent():
            study = open_study(search, open_storage(storage_url(place), heartbeat_s), None, population)
            run_trials(study, search, trials, lambda done: news.put(("done", done)))
    except UserError as error:
        news.put(("failed", str(error)))
        news.close()
        news.join_thread()
        raise SystemExit(2) from None


@contextlib.contextmanager
def _silent():
    """What a dying database makes threads and pools print: `told` says it once."""
    logger, hook = logging.getLogger("sqlalchemy.pool"), threading.excepthook
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    threading.excepthook = lambda _: None
    try:
        yield
    finally:
        logger.setLevel(level)
        threading.excepthook = hook


def _bar(trials: int, before: int):
    return tqdm(total=trials, initial=min(before, trials), desc="exploring: trials complete", leave=False,
                disable="HWAWARE_HEADLESS" in os.environ)  # fmt: skip


def _advance(bar, done: int) -> None:
    bar.update(max(0, min(done, bar.total) - bar.n))
