"""Which cycles per unit speak for a platform, precision and thread count: its own fit, or a neighbour's with a wider range."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from ..base.errors import UserError
from .intervals import cv_plus
from .latency_features import FEATURES
from .latency_fit import calibrate
from .latency_predictors import Blend, LatencyModel
from .mobilenet_vectors import feature_table
from .published import latency_ratios, select_published
from .specs import ARITHMETIC, PlatformSpec, load_platform


def group_names(rows: pd.DataFrame, by: str = "alpha") -> np.ndarray:
    """The group of each published row that validation leaves out at once: `alpha` (of one family) or `geometry`."""
    names = rows["family"] + " " + rows["alpha"].astype(str)
    return (names if by == "alpha" else names + " " + rows["resolution"].astype(str)).to_numpy()


def grouping(rows: pd.DataFrame) -> str:
    """Alphas if each was measured at several resolutions, else geometries."""
    return "alpha" if len(rows) >= 2 * len(np.unique(group_names(rows))) else "geometry"


def published_features(rows: pd.DataFrame, arithmetic: str) -> pd.DataFrame:
    """The features of the networks of published rows, in their order; `arithmetic` gives the width of an element."""
    parts = []
    for family, some in rows.groupby("family"):
        columns = [some[name].to_numpy() for name in ("alpha", "resolution", "classes", "channels")]
        parts.append(pd.DataFrame(feature_table(family, *columns, width=1 if arithmetic == "int8" else 4), index=some.index))
    return pd.concat(parts).loc[rows.index]


def published_cycles(rows: pd.DataFrame) -> np.ndarray:
    """Latency x clock of the measured board."""
    return (rows["latency_ms"] * rows["freq_mhz"] * 1e3).to_numpy(float)


def floors(spec: PlatformSpec, entry: dict) -> np.ndarray:
    """The least cycles a unit that the hardware allows: 1 / peak for a MAC, 0 for all else."""
    least = 1 / (spec.value(f"macs_per_cycle_{'int8' if entry['precision'] == 'int8' else 'fp32'}") * entry["threads"])
    return np.array([least if name.endswith("_macs") else 0.0 for name in entry["features"]])


@lru_cache(maxsize=256)
def find_model(platform: str, precision: str, threads: int = 1) -> LatencyModel | Blend:
    """What predicts this precision and thread count. UserError if the platform's file has no entry for the precision.

    Between two known thread counts Amdahl's law runs through both; beyond them it starts from the nearest, with the
    platform's `serial_share`; both with the wider range `thread_spread`.
    """
    spec, arithmetic = load_platform(platform), ARITHMETIC.get(precision, precision)
    if arithmetic == "mixed":
        parts = find_model(platform, "int8", threads), find_model(platform, "fp32", threads)
        return Blend(parts, f"between int8 ({parts[0].basis}) and fp32 ({parts[1].basis})")
    known = {entry["threads"]: i for i, entry in enumerate(spec.latency) if entry["precision"] == arithmetic}
    if not known:
        able = ", ".join(dict.fromkeys(entry["precision"] for entry in spec.latency)) or "no number format"
        raise UserError(f"{spec.id}.yaml has no latency entry for {arithmetic} models: there are entries for {able}.")
    below, above = max((t for t in known if t <= threads), default=None), min((t for t in known if t >= threads), default=None)
    if below is None or above is None or below == above:
        nearest = below or above
        return _scale_threads(spec, _of_entry(platform, known[nearest]), nearest, threads)
    parts = _of_entry(platform, known[below]), _of_entry(platform, known[above])
    weight = (1 / threads - 1 / above) / (1 / below - 1 / above)
    basis = f"Amdahl's law through {below} thread(s) ({parts[0].basis}) and {above} ({parts[1].basis})"
    return Blend(parts, basis, weight, spec.value("thread_spread"))


def _scale_threads(spec: PlatformSpec, model: LatencyModel, known: int, threads: int) -> LatencyModel:
    if known == threads:
        return model
    serial, spread = spec.value("serial_share"), spec.value("thread_spread")
    # Amdahl's law; an assumed share of the roofline starts from the bound of all threads, so its gain is taken back.
    ratio = (serial + (1 - serial) / threads) / (serial + (1 - serial) / known)
    ratio *= threads / known if model.assumed else 1
    basis = f"{model.basis}; scaled from {known} to {threads} threads by Amdahl's law with a serial share of {serial:g}"
    return replace(model, slowdown=model.slowdown * ratio, spread=model.spread * spread, basis=basis)


@lru_cache(maxsize=256)
def _of_entry(platform: str, position: int) -> LatencyModel:
    spec = load_platform(platform)
    entry = spec.latency[position]
    if "assumed" in entry:
        return LatencyModel(f"assumed share of the roofline: {entry['reason']}", assumed=entry["assumed"])
    if "rows" in entry:
        return _fit(spec, entry)
    return _borrow(spec, entry)


def _fit(spec: PlatformSpec, entry: dict) -> LatencyModel:
    rows, names = _rows(spec, entry["rows"]), tuple(entry["features"])
    amounts = published_features(rows, entry["precision"])[list(names)].to_numpy()
    found = calibrate(names, amounts, published_cycles(rows), group_names(rows, grouping(rows)), floors(spec, entry))
    source = ", ".join(str(entry["rows"][key]) for key in ("device", "runtime") if key in entry["rows"])
    basis = f"cycles a unit fitted to {len(rows)} published rows of {source}"
    return LatencyModel(basis, found, np.ones(len(names)), rows=len(rows))


def _borrow(spec: PlatformSpec, entry: dict) -> LatencyModel:
    origin = {"platform": spec.id} | entry["from"]
    source = find_model(origin["platform"], origin["precision"], origin["threads"])
    if getattr(source, "calibration", None) is None:
        raise UserError(
            f"{spec.id}.yaml: the latency entry for {entry['precision']} borrows cycles from {origin['precision']} on "
            f"{origin['platform']}, which is assumed and has none: give it a share of its own with `assumed`."
        )
    names, factors = source.calibration.features, entry.get("factors", {})
    scale = np.array([factors.get(name, factors.get("rest", 1.0)) for name in names])
    model = replace(source, factors=source.factors * scale, spread=source.spread * entry["spread"])
    how = f"borrowed from {origin['precision']} on {origin['platform']} with {origin['threads']} thread(s)"
    if "anchor" in entry:
        rows = _rows(spec, entry["anchor"])
        value = cv_plus(model.calibration, model.amounts(published_features(rows, entry["precision"]).to_dict("series")))[0]
        ratio = float(np.median(published_cycles(rows) / value))
        model = replace(model, slowdown=ratio, rows=len(rows))
        how += f", cycles x {ratio:.3g} so that {len(rows)} published row(s) of {entry['anchor']['device']} come out right"
    if "ratio" in entry:
        ratios = latency_ratios(**entry["ratio"])
        model = replace(model, slowdown=source.slowdown * float(ratios.median()), rows=len(ratios))
        how += f", cycles x {ratios.median():.3g} (median of {len(ratios)} models, {ratios.min():.3g} to {ratios.max():.3g})"
    return replace(model, basis=f"{how}; range x {entry['spread']:g}: {entry['reason']}")


def _rows(spec: PlatformSpec, selection: dict) -> pd.DataFrame:
    rows = select_published(selection)
    if rows.empty:
        raise UserError(f"{spec.id}.yaml: no published row matches {selection}: correct the selection.")
    return rows


def coefficients(platform: str, precision: str, threads: int = 1) -> pd.DataFrame:
    """What a unit costs: `platform, precision, threads, feature, cycles_per_unit, unit, share, meaning, basis, evidence`.

    `share` is the median share of the time among the calibrated networks. Where two models are blended (mixed precision,
    two thread counts) their rows stand below each other; an assumed share of the roofline has none: the table is empty.
    """
    rows = []
    for model in find_model(platform, precision, threads).leaves():
        if model.calibration is None:
            continue
        costs = model.calibration.coefficients * model.factors * model.slowdown
        parts = model.calibration.shares * model.factors
        shares = np.median(parts / parts.sum(axis=1, keepdims=True), axis=0)
        for name, cost, share in zip(model.calibration.features, costs, shares, strict=True):
            unit, meaning = FEATURES[name]
            identity = {"platform": platform, "precision": precision, "threads": threads, "feature": name}
            rows.append(identity | {"cycles_per_unit": cost, "unit": f"cycles/{unit}", "share": share, "meaning": meaning})
            rows[-1] |= {"basis": model.basis, "evidence": "modelled"}
    names = ["platform", "precision", "threads", "feature", "cycles_per_unit", "unit", "share", "meaning", "basis", "evidence"]
    return pd.DataFrame(rows, columns=names)
