"""How likely a configuration is to be on the front, by Monte Carlo from the intervals of its accuracy, latency and energy."""

from statistics import NormalDist

import moocore
import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..platforms.intervals import MISS
from .front_errors import Effect, accuracy_effects, is_measured, latency_effects
from .objectives import costs_of

DRAWS = 2000  # a probability of one half is then known to 0.011 (standard error)
INSIDE_ACCURACY = 0.95  # Wilson intervals of variants.csv
INSIDE_RUNS = 0.8  # a measured latency's interval: 10th to 90th percentile of the runs
SHARED = ("split", "own", "shared")


def draw_costs(points: pd.DataFrame, maximise: list[str], minimise: list[str], drawn: dict[str, np.ndarray]) -> np.ndarray:
    """Costs (draws x rows x objectives, less is better) with the objectives in `drawn` (column -> draws x rows) replaced.

    An objective that is not drawn has the same value every time. UserError for draws of the wrong shape or a missing value.
    """
    costs, names = costs_of(points, maximise, minimise), [*maximise, *minimise]
    shapes = {np.shape(values) for name, values in drawn.items() if name in names} or {(1, len(points))}
    if len(shapes) > 1 or next(iter(shapes))[1:] != (len(points),):
        raise UserError(f"the draws have the shapes {sorted(shapes)}: expected one shape, draws x {len(points)} rows.")
    cube = np.repeat(costs[None], next(iter(shapes))[0], axis=0)
    for k, name in enumerate(names):
        if name in drawn:
            cube[:, :, k] = -drawn[name] if name in maximise else drawn[name]
    return cube


def front_draws(points: pd.DataFrame, maximise: list[str], minimise: list[str], drawn: dict[str, np.ndarray]) -> np.ndarray:
    """Whether each row is on the front, draw by draw (draws x rows, bool); arguments and errors as `draw_costs`.

    Duplicates stay together on the front, as in `pareto.fronts`: two precisions of a network may share their latency.
    """
    cube = draw_costs(points, maximise, minimise, drawn)
    if not len(points):
        return np.zeros(cube.shape[:2], dtype=bool)
    return np.array([moocore.is_nondominated(one, keep_weakly=True) for one in cube])


def front_probability(
    points: pd.DataFrame, maximise: list[str], minimise: list[str], drawn: dict[str, np.ndarray]
) -> np.ndarray:
    """Share of the draws in which each row is on the front, 0-1; arguments and errors as `draw_costs`."""
    return front_draws(points, maximise, minimise, drawn).mean(axis=0)


def sample_objectives(table: pd.DataFrame, draws: int = DRAWS, seed: int = 0, shared: str = "split") -> dict[str, np.ndarray]:
    """`accuracy`, `latency_ms` and `energy_mj` (draws x rows) of the configurations of one platform.

    `shared` says how errors hang together: `split` as in `front_errors`, `own` not at all, `shared` wholly (one draw
    moves all rows by the same number of standard deviations). The size of a file has no error. Energy follows the latency;
    its power is one number a platform, so that its error moves all rows alike and is left out.
    """
    if shared not in SHARED:
        raise UserError(f"shared = {shared!r} is unknown: expected one of {', '.join(SHARED)}.")
    if len(set(table["platform"])) > 1:
        raise UserError(f"configurations of {table['platform'].nunique()} platforms: sample those of one platform at a time.")
    rng, ones, rows = np.random.default_rng(seed), np.ones(len(table)), np.arange(len(table))
    inside = np.where(is_measured(table), INSIDE_RUNS, 1 - MISS)
    _check_interval(table, "latency_ms", positive=True)
    if shared == "split":
        effects = accuracy_effects(table), latency_effects(table)
    else:
        effects = ([Effect(rows if shared == "own" else 0 * rows, ones)],) * 2
    accuracy = spread_draws(table, "accuracy", draw_errors(effects[0], draws, rng), ones * INSIDE_ACCURACY)
    latency = spread_draws(table, "latency_ms", draw_errors(effects[1], draws, rng), inside, logarithmic=True)
    energy = table["energy_mj"].to_numpy(float) * latency / table["latency_ms"].to_numpy(float)
    return {"accuracy": accuracy.clip(0, 1), "latency_ms": latency, "energy_mj": energy}


def draw_errors(effects: list[Effect], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Standard normal errors (draws x rows): the sum of the effects."""
    error = np.zeros((draws, len(effects[0].share)))
    for effect in effects:
        labels, rows = np.unique(effect.labels, return_inverse=True)
        error += rng.standard_normal((draws, len(labels)))[:, rows] * np.sqrt(effect.share)
    return error


def spread_draws(
    table: pd.DataFrame, column: str, errors: np.ndarray, inside: np.ndarray, logarithmic: bool = False
) -> np.ndarray:
    """Values of `column` (draws x rows) for standard normal `errors`. The median is the value; `inside` (rows, 0-1) of the
    draws lie between `<column>_low` and `_high`; the widths below and above may differ.

    >>> row = pd.DataFrame({"latency_ms": [2.0], "latency_ms_low": [1.0], "latency_ms_high": [8.0]})
    >>> z = NormalDist().inv_cdf(0.95)
    >>> spread_draws(row, "latency_ms", np.array([[-z], [0.0], [z]]), np.array([0.9]), True).round(6).ravel().tolist()
    [1.0, 2.0, 8.0]
    """
    low, value, high = _check_interval(table, column, positive=logarithmic)
    if logarithmic:
        low, value, high = np.log(low), np.log(value), np.log(high)
    quantile = np.array([NormalDist().inv_cdf((1 + share) / 2) for share in inside])
    drawn = value + errors / quantile * np.where(errors < 0, value - low, high - value)
    # exp(log(x)) is not x: a row of no width must keep its value, or ties would break.
    return np.where(high > low, np.exp(drawn), table[column].to_numpy(float)) if logarithmic else drawn


def _check_interval(table: pd.DataFrame, column: str, positive: bool) -> np.ndarray:
    """Low, value and high (3 x rows) of a column. UserError if one is missing or they are out of order."""
    ends = [f"{column}_low", column, f"{column}_high"]
    missing = [name for name in ends if name not in table]
    if missing:
        raise UserError(f"the table has no column {missing[0]!r}: a front under uncertainty needs the interval of {column}.")
    low, value, high = found = table[ends].to_numpy(float).T
    wrong = ~((low <= value) & (value <= high) & ((low > 0) if positive else (low >= 0)))
    if wrong.any():
        k = int(wrong.argmax())
        numbers = f"{value[k]:g} in the interval {low[k]:g} to {high[k]:g}"
        raise UserError(
            f"{column} of row {k} is {numbers}: give numbers with 0 {'<' if positive else '<='} low <= value <= high."
        )
    return found
