"""Accuracy of a network that nobody has trained: from those trained briefly, and from those trained both ways.

Error rate after the brief training = floor + exp(a + b . features), by ordinary least squares of its logarithm: a power
law down to what cannot be learned (Hestness et al. 2017, https://arxiv.org/abs/1712.00409). The floor, a share of the
teacher's error rate, and the features are those with the least leave-one-out error (Allen 1974, PRESS), among models where
more network never means more errors, with at most one feature for every four trained networks. `fidelity` leads from there
to the full training.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from ...base.errors import UserError
from .fidelity import Fidelity, fit_fidelity

FEATURES = ("log_macs", "log_parameters", "log_resolution", "log_expansion", "log_stream", "log_head", "taught")
FLOORS = (0.0, 0.3, 0.5, 0.7, 0.85)  # shares of the teacher's error rate
POINTS_PER_FEATURE = 4
CONFIDENCE = 0.9


def feature_table(points: pd.DataFrame) -> pd.DataFrame:
    """FEATURES of points with the columns macs, parameters, resolution, expansion, stream, head, taught."""
    logs = {f: np.log(points[f.removeprefix("log_")].astype(float)) for f in FEATURES if f != "taught"}
    return pd.DataFrame(logs | {"taught": points["taught"].astype(float)})[list(FEATURES)]


@dataclass(frozen=True)
class Surrogate:
    """A fitted surrogate: `coefficients` (constant first) of `features`; `spread` is the residuals' standard deviation of the
    logarithm above `floor`, with `freedom` degrees of freedom; `fidelity` leads from the brief training to the full one."""

    features: tuple[str, ...]
    floor: float
    coefficients: np.ndarray
    inverse: np.ndarray
    spread: float
    freedom: int
    fidelity: Fidelity

    def log_error(self, points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Middle, standard deviation and degrees of freedom of log(error rate) after the full training.

        Degrees of freedom of the sum by Satterthwaite (1946), https://doi.org/10.2307/3002019.
        """
        x = _design(feature_table(points), self.features)
        leverage = np.einsum("ij,jk,ik->i", x, self.inverse, x)
        above = np.exp(x @ self.coefficients)
        middle, step = self.fidelity.transfer(np.log(self.floor + above))
        # what a change of the logarithm above the floor changes in the logarithm of the whole error rate
        slope = self.fidelity.passed_on * above / (self.floor + above)
        brief = (slope * self.spread) ** 2 * (1 + leverage)
        parts = brief**2 / self.freedom + step**2 / max(self.fidelity.freedom, 1)
        freedom = np.divide((brief + step) ** 2, parts, out=np.full(len(x), 1e6), where=parts > 0)
        return middle, np.sqrt(brief + step), freedom

    def predict(self, points: pd.DataFrame, confidence: float = CONFIDENCE) -> pd.DataFrame:
        """`points` with accuracy, accuracy_low, accuracy_high (FP32, full training) and evidence = modelled."""
        middle, deviation, freedom = self.log_error(points)
        reach = stats.t.ppf((1 + confidence) / 2, freedom) * deviation
        ends = {"accuracy": middle, "accuracy_low": middle + reach, "accuracy_high": middle - reach}
        return points.assign(**{name: 1 - np.minimum(np.exp(log), 1.0) for name, log in ends.items()}, evidence="modelled")

    def sample(self, points: pd.DataFrame, draws: int, seed: int) -> np.ndarray:
        """`draws` accuracies for each point (points x draws), errors drawn independently from Student's t."""
        middle, deviation, freedom = self.log_error(points)
        noise = np.random.default_rng(seed).standard_t(freedom[:, None], (len(points), draws))
        return 1 - np.minimum(np.exp(middle[:, None] + deviation[:, None] * noise), 1.0)


def fit_surrogate(
    brief: pd.DataFrame, full: pd.DataFrame | None = None, teacher_accuracy: float = 1.0, longer: float = 0.0
) -> Surrogate:
    """The surrogate of `brief` (a row a network: the columns of `feature_table` and accuracy, all trained alike).

    `full`: rows `accuracy_brief, accuracy, longer` of the networks trained both ways, `longer` being log(images seen in the
    full training / in the brief one), as the argument is for the training to predict; None predicts the brief one. All
    with accuracy_n, the number of test images. UserError for fewer than three points.
    """
    if len(brief) < 3:
        raise UserError(f"{len(brief)} trained points are too few to fit a surrogate: train at least 3 (explore_points).")
    logs, table = log_errors(brief["accuracy"], brief["accuracy_n"]), feature_table(brief)
    features, floor = choose_model(table, logs, 1 - teacher_accuracy)
    x, y = _design(table, features), np.log(np.exp(logs) - floor)
    inverse = np.linalg.pinv(x.T @ x)
    coefficients = inverse @ x.T @ y
    freedom = max(len(x) - x.shape[1] - (floor > 0), 1)
    spread = float(np.sqrt(((y - x @ coefficients) ** 2).sum() / freedom))
    both = [log_errors(full[name], full["accuracy_n"]) for name in ("accuracy_brief", "accuracy")] if full is not None else []
    fidelity = fit_fidelity(*both, full["longer"].to_numpy(float), longer) if both else Fidelity()
    return Surrogate(features, floor, coefficients, inverse, spread, freedom, fidelity)


def choose_model(table: pd.DataFrame, logs: np.ndarray, teacher_error: float) -> tuple[tuple[str, ...], float]:
    """Features and floor with the smallest leave-one-out error of log error rates; all coefficients are <= 0."""
    varied = [name for name in FEATURES if np.ptp(table[name].to_numpy()) > 0]
    errors = np.exp(logs)
    best, smallest = ((), 0.0), np.inf
    for count in range(len(table) // POINTS_PER_FEATURE + 1):
        for names in combinations(varied, count):
            x = _design(table, names)
            for floor in (share * teacher_error for share in FLOORS if share * teacher_error < 0.95 * errors.min()):
                press, slopes = _press(x, np.log(errors - floor), (errors - floor) / errors)
                if press < smallest and (slopes <= 1e-9).all():
                    best, smallest = (names, floor), press
    return best


def leave_one_out(brief: pd.DataFrame, teacher_accuracy: float = 1.0) -> pd.DataFrame:
    """Each point predicted from the others, model chosen anew: `accuracy` (trained), `predicted`, `_low`, `_high`,
    error_points (predicted - trained, hundredths), inside, evidence."""
    rows = []
    for k in range(len(brief)):
        others = fit_surrogate(brief.drop(brief.index[k]), None, teacher_accuracy)
        one = others.predict(brief.iloc[[k]]).iloc[0]
        rows.append((one["accuracy"], one["accuracy_low"], one["accuracy_high"]))
    table = brief.reset_index(drop=True)
    table[["predicted", "predicted_low", "predicted_high"]] = rows
    inside = table["accuracy"].between(table["predicted_low"], table["predicted_high"])
    return table.assign(error_points=100 * (table["predicted"] - table["accuracy"]), inside=inside, evidence="modelled")


def _design(table: pd.DataFrame, names) -> np.ndarray:
    return np.column_stack([np.ones(len(table)), *(table[name].to_numpy(float) for name in names)])


def _press(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum of squares of the leave-one-out residuals, e / (1 - leverage), times `weights`, and the slopes; inf where a point
    cannot be left out."""
    inverse = np.linalg.pinv(x.T @ x)
    slopes = inverse @ x.T @ y
    left = 1 - np.einsum("ij,jk,ik->i", x, inverse, x)
    if (left < 1e-6).any() or np.linalg.matrix_rank(x) < x.shape[1]:
        return np.inf, slopes[1:]
    return float(((weights * (y - x @ slopes) / left) ** 2).sum()), slopes[1:]


def log_errors(accuracy, images) -> np.ndarray:
    """Logarithm of the error rate, with half an error more in one image more: no error at all keeps it finite.

    >>> log_errors(pd.Series([0.9, 1.0]), pd.Series([999, 999])).round(2).tolist()
    [-2.3, -7.6]
    """
    return np.log(((1 - np.asarray(accuracy, float)) * np.asarray(images) + 0.5) / (np.asarray(images) + 1))
