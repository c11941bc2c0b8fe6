"""Does the stream still look like the data that the model was tested on? Four numbers a frame, watched window by window.

A device has no labels; it has its images and its logits. From each frame it keeps the model's confidence and the image's
brightness, contrast and sharpness, and compares a window of them with clean data. The threshold is not a rule of thumb:
it is the value that a share of `false_alarm_rate` of clean windows would exceed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..base.errors import UserError, nearest

SIGNALS = ("confidence", "brightness", "contrast", "sharpness")
METHODS = ("psi", "ks", "page_hinkley")
BINS = 10
DRAWS = 4000  # clean windows, drawn with replacement, that set a threshold
TOLERATED = 0.1  # Page-Hinkley: standard deviations by which a mean may sink for ever


def signals_of(images: np.ndarray, logits: np.ndarray) -> pd.DataFrame:
    """The four signals of each frame, a column each, from uint8 images (N, H, W, 3) and logits (N, classes).

    confidence: largest softmax probability. brightness and contrast: mean and standard deviation of the grey values, in
    0..1. sharpness: mean absolute difference of neighbouring grey values. UserError when the arrays do not fit.
    """
    if images.ndim != 4 or logits.ndim != 2 or len(images) != len(logits) or not len(images):
        raise UserError(
            f"images {images.shape} and logits {logits.shape}: give (N, H, W, 3) and (N, classes), N of at least 1."
        )
    if not np.isfinite(logits).all():
        raise UserError("the logits hold NaN or infinity: the model or its input is broken.")
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    grey = images.mean(axis=-1) / 255
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    values = exponentials.max(axis=1) / exponentials.sum(axis=1), grey.mean(axis=(1, 2)), grey.std(axis=(1, 2)), steps / 2
    return pd.DataFrame(dict(zip(SIGNALS, values, strict=True)))


def population_stability_index(expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """sum over bins of (actual - expected) * ln(actual / expected), of shares (..., bins); no share may be 0.

    >>> float(population_stability_index(np.array([0.5, 0.5]), np.array([0.75, 0.25])).round(4))
    0.2747
    """
    return ((actual - expected) * np.log(actual / expected)).sum(axis=-1)


def kolmogorov_smirnov(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Largest distance between the distribution functions of a sorted reference (M,) and of each window (..., W).

    >>> float(kolmogorov_smirnov(np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.5, 3.0])))
    0.75
    """
    values, width = np.sort(windows, axis=-1), windows.shape[-1]
    up_to = np.searchsorted(reference, values, side="right") / len(reference)
    below = np.searchsorted(reference, values, side="left") / len(reference)
    # Where a value repeats, the window's function jumps past all its copies at once
    changes = values[..., 1:] != values[..., :-1]
    end = np.ones((*values.shape[:-1], 1), bool)
    last, first = np.concatenate([changes, end], axis=-1), np.concatenate([end, changes], axis=-1)
    above = np.where(last, np.abs(np.arange(1, width + 1) / width - up_to), 0)
    under = np.where(first, np.abs(np.arange(width) / width - below), 0)
    return np.maximum(above, under).max(axis=-1)


def page_hinkley(values: np.ndarray, mean: float, tolerated: float) -> np.ndarray:
    """PH_t = U_t - min U, U_t = sum of (mean - value - tolerated): grows while values (..., T) lie below the mean.

    Page (1954), Hinkley (1971), for a mean that sinks.

    >>> page_hinkley(np.array([1.0, 0.0, 0.0, 2.0]), mean=1.0, tolerated=0.25).tolist()
    [0.0, 0.75, 1.5, 0.25]
    """
    walk = np.cumsum(mean - values - tolerated, axis=-1)
    return walk - np.minimum(np.minimum.accumulate(walk, axis=-1), 0)


@dataclass(frozen=True)
class _Clean:
    """One signal of clean data: half of it describes the distribution, the other half sets the threshold."""

    reference: np.ndarray
    held_back: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        return np.unique(np.quantile(self.reference, np.arange(1, BINS) / BINS))

    def shares(self, windows: np.ndarray) -> np.ndarray:
        """Shares of each bin, half a count added to each so that none is 0."""
        bins = len(self.edges) + 1
        places = np.searchsorted(self.edges, windows, side="right")
        counts = (places[..., None] == np.arange(bins)).sum(axis=-2) + 0.5
        return counts / counts.sum(axis=-1, keepdims=True)

    def statistic(self, method: str, frames: np.ndarray, window: int) -> np.ndarray:
        """One value a window for frames (..., T), T a multiple of `window`."""
        if method == "page_hinkley":
            deviation = self.reference.std() or 1.0
            running = page_hinkley((frames - self.reference.mean()) / deviation, 0.0, TOLERATED)
            return running.reshape(*frames.shape[:-1], -1, window).max(axis=-1)
        windows = frames.reshape(*frames.shape[:-1], -1, window)
        if method == "ks":
            return kolmogorov_smirnov(np.sort(self.reference), windows)
        return population_stability_index(self.shares(self.reference), self.shares(windows))

    def threshold(self, method: str, window: int, windows: int, rate: float, rng: np.random.Generator) -> float:
        """What a share `rate` of clean windows exceeds. Page-Hinkley remembers: there, what one of `windows` in a row does."""
        if method != "page_hinkley":
            drawn = rng.choice(self.held_back, (DRAWS, window))
            return float(np.quantile(self.statistic(method, drawn, window), 1 - rate, method="higher"))
        drawn = rng.choice(self.held_back, (DRAWS // 8, window * windows))
        largest = self.statistic(method, drawn, window).max(axis=-1)
        return float(np.quantile(largest, (1 - rate) ** windows, method="higher"))


def monitor_stream(
    clean_images: np.ndarray, clean_logits: np.ndarray, images: np.ndarray, logits: np.ndarray, *, window: int = 100,
    false_alarm_rate: float = 0.01, method: str = "psi", seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Compare a stream of frames, in order, with clean data that the model was not trained on.

    `false_alarm_rate` is that of a window with all signals together; each signal gets an equal part. Method: `psi`
    (population stability index, 10 bins), `ks` (Kolmogorov-Smirnov) or `page_hinkley` (confidence only, any length).
    One row a window and signal: window (from 0), frames (seen at its end), signal, statistic, threshold, alarm,
    mean, clean_mean, method, evidence. Frames behind the last whole window are left out. UserError for a useless number.
    """
    if method not in METHODS:
        raise UserError(f"drift method {method!r} is unknown{nearest(method, METHODS)}")
    if not 0 < false_alarm_rate < 1:
        raise UserError(f"false_alarm_rate {false_alarm_rate}: give a share between 0 and 1, such as 0.01.")
    clean, stream = signals_of(clean_images, clean_logits), signals_of(images, logits)
    if not 2 <= window <= min(len(clean) // 4, len(stream)):
        raise UserError(
            f"window {window}: give 2 frames or more, at most a quarter of the {len(clean)} clean ones and all {len(stream)} "
            "of the stream."
        )
    rng, windows = np.random.default_rng(seed), len(stream) // window
    order, watched = rng.permutation(len(clean)), ("confidence",) if method == "page_hinkley" else SIGNALS
    rows = []
    for signal in watched:
        values, frames = clean[signal].to_numpy()[order], stream[signal].to_numpy()[: windows * window]
        known = _Clean(values[: len(values) // 2], values[len(values) // 2 :])
        threshold = known.threshold(method, window, windows, false_alarm_rate / len(watched), rng)
        found = known.statistic(method, frames, window)
        means = frames.reshape(-1, window).mean(axis=1)
        rows += [
            {"window": k, "frames": (k + 1) * window, "signal": signal, "statistic": found[k], "threshold": threshold,
             "alarm": bool(found[k] > threshold), "mean": means[k], "clean_mean": values.mean()}
            for k in range(windows)
        ]  # fmt: skip
    return pd.DataFrame(rows).assign(method=method, evidence="measured")


def first_alarm(watched: pd.DataFrame, in_a_row: int = 2) -> tuple[int, str] | None:
    """(frames seen, signal) when `in_a_row` windows in succession have raised an alarm: what would trigger an update.

    The signal is the one furthest above its threshold then. None when it never happens. One window alone is expected to
    be wrong now and then; two in a row, at a rate of 1 %, once in ten thousand.
    """
    raised = watched.groupby("window")["alarm"].any()
    together = raised.rolling(in_a_row).sum() == in_a_row
    if not together.any():
        return None
    rows = watched[watched["window"] == together.idxmax()]
    return int(rows["frames"].iloc[0]), str(rows.loc[(rows["statistic"] / rows["threshold"]).idxmax(), "signal"])
