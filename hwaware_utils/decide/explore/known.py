"""What is known before a search starts: the briefly trained points, the hand-made variants, and what INT8 costs them."""

import pandas as pd

from ...base import artifacts
from ...base.errors import UserError
from ...base.results import REFERENCE, build_dir, read_table
from ...study.explored import longer, point_of, trained_both_ways
from ...study.recipe import Recipe
from .candidates import int8_loss
from .search import Search
from .space import with_work
from .surrogate import fit_surrogate

TABLES = {"exploration_points": "05b_exploration", "variants": "03_quantization"}


def make_search(
    brief: pd.DataFrame, variants: pd.DataFrame, profile: str, platform: str, epochs: int,
    minimise: tuple[str, ...] = ("latency_ms",),
) -> Search:  # fmt: skip
    """The search on `platform` with the surrogate of `brief` (`study.explored.measure_points`) and the hand-made `variants`,
    for networks that are trained for `epochs` epochs on all images.

    Nothing that the exploration trained in full enters: a prediction for its candidates is one.
    """
    fp32 = variants[variants["precision"] == "fp32"].set_index("architecture")
    start = Recipe(**artifacts.find_source(fp32.loc["baseline", "sha256"], profile, needs="01_baseline").facts["recipe"])
    both = trained_both_ways(brief, variants, profile)
    surrogate = fit_surrogate(with_work(brief, start), both, float(fp32.loc["baseline", "accuracy"]), longer(brief, epochs))
    hand_made = tuple(hand_made_points(variants, profile))
    resolutions = tuple(sorted(int(side) for side in set(brief["resolution"])))
    return Search(platform, start, surrogate, int8_loss(variants), resolutions, hand_made).with_objectives(list(minimise))


def hand_made_points(variants: pd.DataFrame, profile: str) -> list:
    """The points of the space that the taught architectures of variants.csv are, in its order."""
    checksums = variants.loc[variants["precision"] == "fp32", "sha256"]
    recipes = [Recipe(**artifacts.find_source(x, profile, needs="02_optimizations").facts["recipe"]) for x in checksums]
    return [point_of(recipe) for recipe in recipes if recipe.teacher]


def load_search(platform: str, epochs: int, minimise: tuple[str, ...] = ("latency_ms",), profile: str = "") -> Search:
    """The search from the stored reference, or from the tables of build/<profile>. UserError when a table is missing or
    lacks what is needed."""
    folder = build_dir(profile) / "results" if profile else REFERENCE
    tables = {}
    for name, notebook in TABLES.items():
        path = folder / f"{name}.csv"
        if not path.is_file():
            raise UserError(f"{path} is missing: run notebooks/{notebook}.ipynb, or give --profile, one that has been run.")
        tables[name] = read_table(path)
    try:
        return make_search(tables["exploration_points"], tables["variants"], profile or "reference", platform, epochs, minimise)
    except KeyError as error:
        raise UserError(f"the tables in {folder} lack {error}: run the notebooks that write them again.") from error
