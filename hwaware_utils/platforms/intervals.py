"""Prediction intervals from errors on networks that were left out, wider where a network is unlike all of them.

CV+ (Barber, Candes, Ramdas, Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics 49(1) 2021,
https://arxiv.org/abs/1905.02928, section 3) on relative errors, with the folds that the validation uses: whole alphas
or geometries. At least 1 - 2 x miss is guaranteed for exchangeable rows; 1 - miss is typical and is checked
(platforms/validation.py).
"""

import numpy as np

from .latency_fit import Calibration

MISS = 0.1  # 90 % intervals
# A feature may hold this much more of the time than in any calibrated network before the network counts as unlike them.
TOLERATED_SHARE = 0.05
# Nor does one that takes half the time of the smallest calibrated network, or twice that of the largest.
TOLERATED_DISTANCE = 2.0


def cv_plus(calibration: Calibration, amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cycles (value, low, high) for `amounts` (networks x features).

    Every left-out row votes: prediction without its group, times 1 -+ its error. Low and high are the votes of rank
    miss x (n + 1) from below and from above; with fewer than 9 rows the outermost votes, which promise less than 90 %.
    """
    value = amounts @ calibration.coefficients
    votes = amounts @ calibration.fold_coefficients.T
    n = calibration.rows
    rank = max(int(MISS * (n + 1)), 1) - 1
    low = np.partition(votes * np.maximum(1 - calibration.errors, 0), rank, axis=1)[:, rank]
    high = np.partition(votes * (1 + calibration.errors), n - 1 - rank, axis=1)[:, n - 1 - rank]
    return value, np.minimum(low, value), np.maximum(high, value)


def unknown_share(calibration: Calibration, amounts: np.ndarray, factors: np.ndarray | float = 1.0) -> np.ndarray:
    """Share of the time (networks x features) that no calibrated network spends there: the fit says nothing about it.

    A feature's share of the predicted cycles, less its largest share among the calibrated networks; 0 within them.
    `factors` are those that a borrower has already multiplied into `amounts`.
    """
    calibrated = calibration.shares * factors
    calibrated = calibrated / calibrated.sum(axis=1, keepdims=True)
    parts = amounts * calibration.coefficients
    total = parts.sum(axis=1, keepdims=True)
    shares = parts / np.where(total > 0, total, 1)
    beyond = shares - calibrated.max(axis=0)
    return np.where(beyond > TOLERATED_SHARE, beyond, 0.0)


def size_share(calibration: Calibration, cycles: np.ndarray) -> np.ndarray:
    """Share of the time (networks) that may be unknown because a network is far smaller or larger than all calibrated ones.

    A constant cost that hides in the error at the smallest network weighs twice as much at half its size, and so on: the
    90 % error times (distance - 1), from twice the distance on. `cycles` without a borrower's factors.
    """
    distance = np.maximum(calibration.cycles.min() / np.maximum(cycles, 1.0), cycles / calibration.cycles.max())
    error = float(np.quantile(calibration.errors, 1 - MISS))
    return np.where(distance > TOLERATED_DISTANCE, error * (distance - 1), 0.0)


def predict_cycles(
    calibration: Calibration, amounts: np.ndarray, factors: np.ndarray | float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cycles (value, low, high) of networks, and their unknown shares: a column a feature and one for the size.

    `amounts` (networks x features) hold a borrower's `factors` already.
    """
    value, low, high = cv_plus(calibration, amounts)
    size = size_share(calibration, (amounts / factors) @ calibration.coefficients)
    unknown = np.column_stack([unknown_share(calibration, amounts, factors), size])
    return value, *widen(low, high, unknown), unknown


def widen(low: np.ndarray, high: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide and multiply the interval by 1 + the unknown shares (networks x reasons): that part of the time is not trusted."""
    factor = 1 + unknown.sum(axis=1)
    return low / factor, high * factor
