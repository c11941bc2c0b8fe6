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


def widen(low: np.ndarray, high: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide and multiply the interval by 1 + the unknown share: that part of the time may be half or double."""
    factor = 1 + unknown.sum(axis=1)
    return low / factor, high * factor
