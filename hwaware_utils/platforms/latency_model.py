"""Which cycles per unit speak for a platform, precision and thread count: its own fit, or a neighbour's with a wider range."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from ..base.errors import UserError
from .intervals import cv_plus, unknown_share, widen
from .latency_features import FEATURES
from .latency_fit import Calibration, calibrate
from .mobilenet_vectors import feature_table
from .published import latency_ratios, select_published
from .specs import ARITHMETIC, PlatformSpec, load_platform


@dataclass(frozen=True)
class LatencyModel:
    """cycles = sum of amount x cycles a unit x factor, times `slowdown`; or a share of the roofline if `assumed`."""

    basis: str
    calibration: Calibration | None = None
    factors: np.ndarray | None = None  # (features,) on the calibration's coefficients
    slowdown: float = 1.0
    spread: float = 1.0
    assumed: dict | None = None
    rows: int = 0

    def amounts(self, features: dict) -> np.ndarray:
        """Networks x features of the calibration, each already multiplied by its factor."""
        columns = [np.atleast_1d(np.asarray(features[name], dtype=float)) for name in self.calibration.features]
        return np.column_stack(columns) * self.factors

    def predict(self, features: dict, bound_ms, clock_mhz: float) -> tuple[np.ndarray, ...]:
        """ms (value, low, high), each an array over networks and never below `bound_ms`, and the unknown shares
        (networks x features; see `intervals.unknown_share`)."""
        bound = np.atleast_1d(np.asarray(bound_ms, dtype=float))
        if self.assumed:
            ms = [bound * self.slowdown / self.assumed[key] for key in ("median", "high", "low")]
            unknown = np.zeros((len(bound), 1))
        else:
            amounts = self.amounts(features)
            unknown = unknown_share(self.calibration, amounts, self.factors)
            value, low, high = cv_plus(self.calibration, amounts)
            ms = [x * self.slowdown / (clock_mhz * 1e3) for x in (value, *widen(low, high, unknown))]
        value = np.maximum(ms[0], bound)
        return value, np.maximum(ms[1] / self.spread, bound), np.maximum(ms[2] * self.spread, value), unknown


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
def find_models(platform: str, precision: str, threads: int = 1) -> tuple[LatencyModel, ...]:
    """One model, or two for `mixed` (its integer and its float bound). UserError if the runtime does not execute it."""
    spec, arithmetic = load_platform(platform), ARITHMETIC.get(precision, precision)
    if arithmetic == "mixed":
        return find_models(platform, "int8", threads) + find_models(platform, "fp32", threads)
    options = [i for i, entry in enumerate(spec.latency) if entry["precision"] == arithmetic]
    if not options:
        able = ", ".join(dict.fromkeys(entry["precision"] for entry in spec.latency)) or "no number format"
        raise UserError(f"{spec.id}.yaml has no latency entry for {arithmetic} models: there are entries for {able}.")
    position = min(options, key=lambda i: abs(np.log(spec.latency[i]["threads"] / threads)))
    return (_scale_threads(spec, _of_entry(platform, position), spec.latency[position], threads),)


def predict_ms(models: tuple[LatencyModel, ...], features: dict, bound_ms, clock_mhz: float) -> tuple[np.ndarray, ...]:
    """`LatencyModel.predict` for what `find_models` found; two models give the geometric mean and the outer ends."""
    parts = [model.predict(features, bound_ms, clock_mhz) for model in models]
    if len(parts) == 1:
        return parts[0]
    (a, a_low, a_high, a_unknown), (b, b_low, b_high, b_unknown) = parts
    return np.sqrt(a * b), np.minimum(a_low, b_low), np.maximum(a_high, b_high), np.hstack([a_unknown, b_unknown])


def _scale_threads(spec: PlatformSpec, model: LatencyModel, entry: dict, threads: int) -> LatencyModel:
    known = entry["threads"]
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
    (source,) = find_models(origin["platform"], origin["precision"], origin["threads"])
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

    `share` is the median share of the time among the calibrated networks. Two models (`mixed`) stand below each other;
    an assumed share of the roofline has no coefficients: the table is empty.
    """
    rows = []
    for model in find_models(platform, precision, threads):
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
