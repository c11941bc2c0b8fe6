"""The multi-objective study: Optuna asks, the search answers, any number of workers share one storage.

NSGA-II (Deb et al. 2002) with constraints: what does not fit the device ranks behind everything that does.
"""

import warnings
from collections.abc import Callable

import pandas as pd

from ...base.errors import UserError
from .search import Search

CONSTRAINTS = ("ram_excess", "flash_excess")  # above 0: does not fit


def open_study(search: Search, storage=None, seed: int | None = None, population: int = 50):
    """The study of `search` in an Optuna storage (None: in memory), made with the hand-made networks queued, or resumed.

    A `seed` makes a study with one worker repeatable; workers that join must not share one. UserError when the storage
    holds a study of this name that asked something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(
        storage=storage, sampler=sampler, study_name=search.study_name, load_if_exists=True,
        directions=["maximize", *["minimize"] * len(search.minimise)],
    )  # fmt: skip
    known = study.user_attrs.get("fingerprint")
    if known is None:
        study.set_user_attr("fingerprint", search.fingerprint)
        for parameters in search.enqueued():
            study.enqueue_trial(parameters)
    elif known != search.fingerprint:
        raise UserError(
            f"the storage holds a study of {search.platform} that asked something else (fingerprint {known}, now "
            f"{search.fingerprint}: other points, objectives or models): give another file or database."
        )
    return study


def run_trials(study, search: Search, total: int, after: Callable[[int], None] | None = None) -> None:
    """Run trials until `total` are complete, whoever ran them. `after` gets the number complete so far.

    A worker among others ends with the first trial that finds the total reached: at most one more each.
    """
    from optuna.trial import TrialState

    if total < 1:
        raise UserError(f"trials {total}: give a number of 1 or more.")

    def complete() -> int:
        return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))

    def check(study, trial) -> None:
        done = complete()
        if after:
            after(done)
        if done >= total:
            study.stop()

    if complete() < total:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.optimize(lambda trial: objective(trial, search), callbacks=[check])


def objective(trial, search: Search) -> tuple[float, ...]:
    """Accuracy (the surrogate's, in the number format) and what is to be small; the whole answer goes into an attribute."""
    answer = search.evaluate(*search.suggest(trial))
    for name in CONSTRAINTS:
        trial.set_constraint(name, answer[name])
    trial.set_user_attr("answer", answer)  # one write to the database instead of a dozen
    return (answer["accuracy"], *(answer[name] for name in search.minimise))


def trials_table(study) -> pd.DataFrame:
    """A row for each complete trial: trial, the point, precision, what `Search.evaluate` said, fits, seconds, evidence."""
    from optuna.trial import TrialState

    rows = [
        {"trial": trial.number, **trial.params, **trial.user_attrs["answer"], "fits": max(trial.constraints.values()) <= 0,
         "seconds": trial.duration.total_seconds()}
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(evidence="modelled")


def counts(study) -> dict[str, int]:
    """How many trials are complete, failed, running and waiting."""
    from optuna.trial import TrialState

    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    return {name.lower(): states.count(TrialState[name]) for name in ("COMPLETE", "FAIL", "RUNNING", "WAITING")}
