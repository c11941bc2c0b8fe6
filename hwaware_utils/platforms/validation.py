"""The latency models against published measurements that they were not fitted to: residuals, not a sentence.

Splits. `leave_one_out`: each row from all others. `leave_one_alpha_out`: each alpha, in both families, from the other
alphas; `leave_one_geometry_out` (family, alpha, resolution) where too few alphas are published. `v1_to_v2`: all of
MobileNetV2 from MobileNetV1 alone, a family that the fit has never seen. Every held-out row gets the interval that the
remaining rows alone would have given it.
"""

import numpy as np
import pandas as pd

from .intervals import predict_cycles
from .latency_fit import calibrate
from .latency_model import floors, group_names, grouping, published_cycles, published_features
from .published import select_published
from .specs import list_platforms, load_platform

_COLUMNS = (
    "platform family alpha resolution classes precision threads published_ms predicted_ms relative_error split latency_ms_low "
    "latency_ms_high covered evidence"
)
COLUMNS = _COLUMNS.split()
# Below this many rows of V1 a fit of five features to V1 alone would prove nothing.
ENOUGH = 8


def validate_latency(platforms: list[str] | None = None) -> pd.DataFrame:
    """A row for each held-out prediction: `platform, family, alpha, resolution, classes, precision, threads, published_ms,
    predicted_ms, relative_error (predicted / published - 1), split, latency_ms_low, latency_ms_high, covered, evidence`.

    Only platforms and precisions with a fit of their own appear: what is borrowed has nothing to be compared with.
    """
    tables = [
        _validate_entry(platform, entry)
        for platform in platforms or list_platforms()
        for entry in load_platform(platform).latency
        if "rows" in entry
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def summarise_validation(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each platform, precision, threads and split of `validate_latency`: `rows, mean_abs_percent_error,
    max_abs_percent_error, within_10_percent, coverage_90, median_interval_percent, evidence` (shares from 0 to 1)."""
    errors = table["relative_error"].abs()
    width = (table["latency_ms_high"] - table["latency_ms_low"]) / table["predicted_ms"]
    grouped = table.assign(error=100 * errors, near=errors <= 0.1, width=100 * width).groupby(
        ["platform", "precision", "threads", "split"], sort=False
    )
    summary = grouped.agg(
        rows=("error", "size"),
        mean_abs_percent_error=("error", "mean"),
        max_abs_percent_error=("error", "max"),
        within_10_percent=("near", "mean"),
        coverage_90=("covered", "mean"),
        median_interval_percent=("width", "median"),
    )
    return summary.reset_index().assign(evidence="modelled")


def splits(rows: pd.DataFrame) -> dict[str, list[np.ndarray]]:
    """Name of a split -> the masks of rows that are held out, one at a time."""
    by = grouping(rows)
    names = rows["alpha"].to_numpy() if by == "alpha" else group_names(rows, by)
    found = {
        "leave_one_out": [np.arange(len(rows)) == i for i in range(len(rows))],
        f"leave_one_{by}_out": [names == name for name in np.unique(names)],
    }
    second = (rows["family"] == "mobilenet_v2").to_numpy()
    if by == "alpha" and second.any() and (~second).sum() >= ENOUGH:
        found["v1_to_v2"] = [second]
    return found


def _validate_entry(platform: str, entry: dict) -> pd.DataFrame:
    rows = select_published(entry["rows"])
    amounts = published_features(rows, entry["precision"])[list(entry["features"])].to_numpy()
    cycles, groups = published_cycles(rows), group_names(rows, grouping(rows))
    least = floors(load_platform(platform), entry)
    tables = []
    for split, masks in splits(rows).items():
        for held in masks:
            found = calibrate(entry["features"], amounts[~held], cycles[~held], groups[~held], least)
            value, low, high, _ = predict_cycles(found, amounts[held])
            to_ms = 1 / (rows.loc[held, "freq_mhz"].to_numpy() * 1e3)
            table = rows.loc[held, ["family", "alpha", "resolution", "classes"]].assign(
                published_ms=rows.loc[held, "latency_ms"],
                predicted_ms=value * to_ms,
                latency_ms_low=low * to_ms,
                latency_ms_high=high * to_ms,
                split=split,
            )
            tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table = table.assign(platform=platform, precision=entry["precision"], threads=entry["threads"], evidence="modelled")
    table["relative_error"] = table["predicted_ms"] / table["published_ms"] - 1
    table["covered"] = table["published_ms"].between(table["latency_ms_low"], table["latency_ms_high"])
    return table[COLUMNS]
