"""The fronts of every platform in one table: who is on which, how surely, where each bends, and how good it is as a whole."""

import numpy as np
import pandas as pd

from .front_probability import DRAWS, draw_costs, front_draws, front_probability, sample_objectives
from .front_quality import hypervolume, hypervolumes, knee, knee_distances, reference_point
from .pareto import fronts

# What accuracy is weighed against.
FRONTS = {
    "latency": ["latency_ms"],
    "size": ["size_bytes"],
    "energy": ["energy_mj"],
    "all": ["latency_ms", "energy_mj", "size_bytes"],
}
ACCURACY = ["accuracy"]
QUANTILES = (0.05, 0.95)  # of the draws: the interval of a hypervolume


def survey_fronts(table: pd.DataFrame, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Configurations (columns of configurations.csv, accuracy_low and accuracy_high) -> the same rows with their fronts.

    Per platform. Of all four quantities together: `on_front, front, dominated_by, comparable` (`pareto.fronts`), `knee`,
    `on_front_probability` with its range `_low`, `_high` (from errors that are not shared at all to wholly shared ones) and
    `architecture_on_front_probability`, that any precision of the row's architecture is on it. Of accuracy against one
    other quantity, for x = latency, size, energy: `on_x_front, x_knee, x_dominated_by, on_x_front_probability`. Rows
    without a value of an objective have no probability. UserError names a missing column.
    """
    result = fronts(table, ACCURACY, FRONTS["all"], group=["platform"]).reset_index(drop=True)
    for x, minimise in list(FRONTS.items())[:-1]:
        two = fronts(result[["variant", "platform", *ACCURACY, *minimise]], ACCURACY, minimise, group=["platform"])
        result[f"on_{x}_front"], result[f"{x}_dominated_by"] = two["on_front"], two["dominated_by"]
    for x, minimise in FRONTS.items():
        result[_column(x, "knee")] = _mark_knees(result, x, minimise)
    return result.join(_probabilities(result, draws, seed))


def _column(x: str, what: str) -> str:
    """The name of a column: of all four quantities, or of accuracy against `x`."""
    on = {"knee": "{}knee", "front": "on_{}front", "probability": "on_{}front_probability"}[what]
    return on.format("" if x == "all" else f"{x}_")


def _mark_knees(result: pd.DataFrame, x: str, minimise: list[str]) -> np.ndarray:
    marked = np.zeros(len(result), dtype=bool)
    for _, some in result[result[_column(x, "front")]].groupby("platform", sort=False):
        found = knee(some, ACCURACY, minimise)
        if found is not None:
            marked[some.index[found]] = True
    return marked


def _probabilities(result: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    parts = []
    for _, some in result[result["comparable"]].groupby("platform", sort=False):
        drawn = sample_objectives(some, draws, seed)
        masks = {x: front_draws(some, ACCURACY, minimise, drawn) for x, minimise in FRONTS.items()}
        found = {_column(x, "probability"): mask.mean(axis=0) for x, mask in masks.items()}
        found["architecture_on_front_probability"] = _any_of(masks["all"], some["architecture"].to_numpy())
        others = [sample_objectives(some, draws, seed, shared) for shared in ("own", "shared")]
        range_ = [masks["all"].mean(axis=0), *(front_probability(some, ACCURACY, FRONTS["all"], other) for other in others)]
        found |= {"on_front_probability_low": np.min(range_, axis=0), "on_front_probability_high": np.max(range_, axis=0)}
        parts.append(pd.DataFrame(found, index=some.index))
    names = [_column(x, "probability") for x in FRONTS]
    names += ["architecture_on_front_probability", "on_front_probability_low", "on_front_probability_high"]
    return pd.concat(parts) if parts else pd.DataFrame(columns=names, dtype=float)


def _any_of(mask: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each row the share of the draws in which any row with its label is on the front."""
    return np.array([mask[:, labels == label].any(axis=1).mean() for label in labels])


def summarise_fronts(surveyed: pd.DataFrame, draws: int = 500, seed: int = 0) -> pd.DataFrame:
    """A row for each platform and front of `survey_fronts`: `platform, front, configurations, front_points, knee,
    knee_distance, hypervolume, hypervolume_low, hypervolume_high, evidence`, then the reference point,
    `reference_<objective>`, NaN for what the front does not weigh.

    The reference point is that of all configurations of the platform (`reference_point`), the hypervolume the share of its
    box; the interval holds 90 % of the draws in that box.
    """
    rows = []
    for platform, some in surveyed[surveyed["comparable"]].groupby("platform", sort=False):
        drawn = sample_objectives(some, draws, seed)
        for x, minimise in FRONTS.items():
            kept = some[some[_column(x, "front")]]
            box, bend = reference_point(some, ACCURACY, minimise), kept.loc[kept[_column(x, "knee")], "variant"]
            volumes = hypervolumes(draw_costs(some, ACCURACY, minimise, drawn), ACCURACY, minimise, box)
            rows.append(
                {"platform": platform, "front": x, "configurations": len(some), "front_points": len(kept)}
                | {"knee": bend.iloc[0] if len(bend) else "", "knee_distance": knee_distances(kept, ACCURACY, minimise).max()}
                | {"hypervolume": hypervolume(some, ACCURACY, minimise, box)}
                | dict(zip(("hypervolume_low", "hypervolume_high"), np.quantile(volumes, QUANTILES), strict=True))
                | {"evidence": "modelled"}
                | {f"reference_{name}": value for name, value in box.worst.items()}
            )
    return pd.DataFrame(rows)
