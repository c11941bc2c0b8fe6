"""How the errors of configurations on one platform hang together: what is shared cannot change their order.

An error is a sum of effects, each drawn once for all rows with the same label. Latency (logarithmic): (1) the platform: the
range that every entry of its latency model has, e.g. of a phone with another memory; (2) the arithmetic: what one
entry's borrowed range adds, e.g. all INT8 variants together; (3) the network: the rest, from networks that were left out
of the fit (platforms/intervals.py), one draw for variants with the same operators. Held-out errors of one board have
next to no common part (platform_validation.csv), so (3) is independent between networks. A measured latency has an
error of its own. Energy is power x latency with one power a platform: its error is that of the latency, times a factor
that all rows share. Accuracy: all models are judged by the same test images; the correlation of their sampling errors
stands in params/models/fronts.yaml.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import yaml

from ..base.results import ROOT
from ..platforms.latency_model import find_model
from ..platforms.latency_predictors import Blend
from ..platforms.specs import ARITHMETIC, Quantity, load_platform, read_quantity

PATH = ROOT / "params" / "models" / "fronts.yaml"
BOUNDS = {name: ("ratio", (0, 1), (0, 1)) for name in ("same_architecture_correlation", "other_architecture_correlation")}


@dataclass(frozen=True)
class Effect:
    """A part of an error: one standard normal draw for each label, `share` (rows) of each row's variance."""

    labels: np.ndarray
    share: np.ndarray


@lru_cache(maxsize=1)
def load_correlations() -> dict[str, Quantity]:
    """The constants of params/models/fronts.yaml. UserError names a faulty one."""
    entries = yaml.safe_load(PATH.read_text())["constants"]
    return {key: read_quantity(key, entry, "application", PATH.name, BOUNDS) for key, entry in entries.items()}


def accuracy_effects(table: pd.DataFrame) -> list[Effect]:
    """The test images (all rows), the trained network (`architecture`) and the row itself."""
    found, ones = load_correlations(), np.ones(len(table))
    other, same = (found[name].value for name in ("other_architecture_correlation", "same_architecture_correlation"))
    return [
        Effect(np.zeros(len(table)), ones * other),
        Effect(table["architecture"].to_numpy(), ones * (same - other)),
        Effect(np.arange(len(table)), ones * (1 - same)),
    ]


def latency_effects(table: pd.DataFrame) -> list[Effect]:
    """Platform, arithmetic and network of each row of one platform (columns platform, architecture, precision, threads,
    latency_ms_low, latency_ms_high, latency_ms_evidence). The parts of the half width's logarithm weigh as standard
    deviations; together they are the stated interval."""
    total = np.log(table["latency_ms_high"].to_numpy(float) / table["latency_ms_low"].to_numpy(float)) / 2
    modelled = ~is_measured(table)
    keys = zip(table["platform"], table["precision"], table["threads"].astype(int), strict=True)
    ranges = [_ranges(*key) if by_model else (0.0, 0.0) for key, by_model in zip(keys, modelled, strict=True)]
    least, entry = np.array(ranges).reshape(-1, 2).T
    platform = np.minimum(least, total)
    arithmetic = np.minimum(entry, total) - platform
    parts = np.stack([platform, arithmetic, total - platform - arithmetic]) ** 2
    whole = parts.sum(axis=0)
    shares = np.divide(parts, whole, out=np.array([[0.0], [0.0], [1.0]]) * np.ones_like(parts), where=whole > 0)
    formats = table["precision"].map(lambda name: ARITHMETIC.get(name, name))
    rows = np.arange(len(table)).astype(str)
    own = np.where(modelled, (table["architecture"] + " " + formats).to_numpy(dtype=str), rows)
    labels = [np.zeros(len(table)), formats.to_numpy(dtype=str), own]
    return [Effect(label, share) for label, share in zip(labels, shares, strict=True)]


def is_measured(table: pd.DataFrame) -> np.ndarray:
    """Rows whose latency was timed, now or earlier."""
    return table["latency_ms_evidence"].isin(["measured", "recorded"]).to_numpy()


def common_share(validation: pd.DataFrame) -> pd.DataFrame:
    """How much of the held-out errors of a fitted board is common to all its networks (columns of platform_validation.csv).

    A row for each platform, precision, threads and split: `rows, mean_percent, rms_percent, common_share, evidence`, of the
    logarithmic error predicted / published. common_share = mean^2 / mean square: 1 if all networks err alike, and about
    1 / rows if their errors have nothing in common.
    """
    errors = validation.assign(error=np.log(validation["predicted_ms"] / validation["published_ms"]))
    errors["square"] = errors["error"] ** 2
    keys = ["platform", "precision", "threads", "split"]
    found = errors.groupby(keys, sort=False).agg(rows=("error", "size"), mean=("error", "mean"), square=("square", "mean"))
    shown = pd.DataFrame({"rows": found["rows"], "mean_percent": 100 * found["mean"]})
    shown = shown.assign(rms_percent=100 * found["square"] ** 0.5, common_share=found["mean"] ** 2 / found["square"])
    return shown.reset_index().assign(evidence="modelled")


@lru_cache(maxsize=256)
def _ranges(platform: str, precision: str, threads: int) -> tuple[float, float]:
    """Logarithms of the borrowed range that all entries of a platform share, and of the one of this entry."""
    known = dict.fromkeys(entry["precision"] for entry in load_platform(platform).latency)
    least = min(_log_range(find_model(platform, name, threads)) for name in known)
    return least, _log_range(find_model(platform, precision, threads))


def _log_range(model) -> float:
    if isinstance(model, Blend):
        return np.log(model.spread) + sum(_log_range(part) for part in model.parts) / 2
    # An assumed share of the roofline is one number for all networks: its whole range is common to them.
    return np.log(model.assumed["high"] / model.assumed["low"]) / 2 if model.assumed else np.log(model.spread)


def correlation_numbers() -> dict[str, float]:
    """`same_correlation` and `other_correlation`, for the text of a notebook."""
    return {f"{name.split('_')[0]}_correlation": quantity.value for name, quantity in load_correlations().items()}
