"""Cycles per unit of work, fitted to published latencies: physically possible, on relative errors, hardly moved by outliers."""

from dataclasses import dataclass

import numpy as np

# Huber's constant (https://doi.org/10.1214/aoms/1177703732): 95 % efficiency if the noise is Gaussian after all.
HUBER = 1.345
# Below this relative error a deviation is taken as noise, whatever the others do: 2 % between two equal laptops.
NOISE = 0.02


def nnls(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x >= 0 with the least |a x - b| (Lawson and Hanson, "Solving Least Squares Problems", 1974, algorithm NNLS).

    Written out because importing scipy.optimize takes longer than all else that one prediction needs.
    """
    rows = a.shape[1]
    x, passive = np.zeros(rows), np.zeros(rows, dtype=bool)
    gradient = a.T @ b
    tolerance = 1e-10 * max(float(np.abs(gradient).max(initial=0)), 1e-300)
    for _ in range(10 * rows):
        candidates = np.where(passive, -np.inf, gradient)
        if candidates.max() <= tolerance:
            break
        passive[int(candidates.argmax())] = True
        while True:
            trial = np.zeros(rows)
            trial[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
            bad = passive & (trial <= 0)
            if not bad.any():
                break
            step = np.min(x[bad] / (x[bad] - trial[bad]))
            x = x + step * (trial - x)
            passive &= x > tolerance
            x[~passive] = 0
        x = trial
        gradient = a.T @ (b - a @ x)
    return x


def fit_cycles(amounts: np.ndarray, cycles: np.ndarray, floors: np.ndarray | float = 0.0, rounds: int = 10) -> np.ndarray:
    """Cycles per unit (one a feature) for `amounts` (networks x features) and measured `cycles` (networks).

    Minimises Huber's loss of predicted / measured - 1 by reweighting, with no feature below its `floors` (cycles a unit
    that the hardware cannot undercut). A feature that is always 0 gets its floor.
    """
    ratios = amounts / cycles[:, None]
    floors = np.broadcast_to(floors, amounts.shape[1:])
    rest = 1 - ratios @ floors
    scale = np.linalg.norm(ratios, axis=0)
    scale[scale == 0] = 1
    ratios, weights = ratios / scale, np.ones(len(cycles))
    for _ in range(rounds):
        found = nnls(ratios * weights[:, None], rest * weights)
        errors = np.abs(ratios @ found - rest)
        limit = HUBER * max(1.4826 * float(np.median(errors)), NOISE)
        before, weights = weights, np.sqrt(np.minimum(1, limit / np.maximum(errors, 1e-12)))
        if np.abs(weights - before).max() < 1e-6:
            break
    return floors + found / scale


@dataclass(frozen=True)
class Calibration:
    """A fit and its honesty: for each of n rows, the coefficients and the error with the row's group left out."""

    features: tuple[str, ...]
    coefficients: np.ndarray  # (features,) cycles a unit
    fold_coefficients: np.ndarray  # (n, features) cycles a unit, without the row's group
    errors: np.ndarray  # (n,) |measured / predicted - 1| by those
    shares: np.ndarray  # (n, features) share of each feature in the predicted cycles of the row
    cycles: np.ndarray  # (n,) measured

    @property
    def rows(self) -> int:
        return len(self.errors)


def calibrate(
    features: tuple[str, ...], amounts: np.ndarray, cycles: np.ndarray, groups: np.ndarray, floors: np.ndarray | float = 0.0
) -> Calibration:
    """Fit all rows, and once more without each group (an alpha, a geometry), so that errors are those of new networks."""
    folds, errors = np.zeros_like(amounts, dtype=float), np.zeros(len(cycles))
    for group in np.unique(groups):
        held = groups == group
        # One group only: nothing is left to fit, so its own fit stands in, and intervals rest on the spread of its errors.
        kept = ~held if (~held).any() else held
        folds[held] = fit_cycles(amounts[kept], cycles[kept], floors)
        errors[held] = np.abs(cycles[held] / (amounts[held] @ folds[held][0]) - 1)
    coefficients = fit_cycles(amounts, cycles, floors)
    parts = amounts * coefficients
    return Calibration(tuple(features), coefficients, folds, errors, parts / parts.sum(axis=1, keepdims=True), cycles)
