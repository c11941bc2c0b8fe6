"""What a study found, in a table: the networks that fit the device and that no other trial beats."""

import pandas as pd

from ...base.errors import UserError
from ..pareto import fronts
from .search import Search

SHOWN = ["expansion", "stream", "head", "resolution", "taught", "precision", "accuracy", "accuracy_low", "accuracy_high"]
NEEDED = ["latency_ms", "ram_kib", "flash_kib", "energy_mj", "evidence"]


def front_of(trials: pd.DataFrame, search: Search) -> pd.DataFrame:
    """The rows of `workers.explore` that fit and are not dominated, each network once, fastest first.

    UserError when no trial fits: it names the nearest miss.
    """
    fitting = trials[trials["fits"]]
    if fitting.empty:
        over = trials[["ram_excess", "flash_excess"]].max(axis=1)
        nearest = trials.loc[over.idxmin()]
        kinds = [f"{kind} {nearest[f'{kind}_excess']:+.0%}" for kind in ("ram", "flash") if nearest[f"{kind}_excess"] > 0]
        raise UserError(
            f"none of {len(trials)} trials fits {search.platform}; the nearest miss is beyond it by {', '.join(kinds)}: ask "
            "for more trials, or another platform."
        )
    table = fronts(fitting.reset_index(drop=True), ["accuracy"], list(search.minimise), "trial")
    same = ["accuracy", *search.minimise, "macs", "parameters", "precision"]
    return table[table["on_front"]].drop_duplicates(same).sort_values(search.minimise[0], ignore_index=True)


def shown(front: pd.DataFrame) -> pd.DataFrame:
    """The columns of a front that a reader wants."""
    return front[[*SHOWN, *NEEDED]]
