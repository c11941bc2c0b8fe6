"""Which networks are worth a full training: those that are expected to add most to the front that there is.

Expected hypervolume improvement (Emmerich et al. 2006, https://doi.org/10.1109/TEVC.2005.859463), by sampling the
surrogate's accuracy; the other objectives are taken at their central estimate, whose error all networks of a platform share.
"""

import numpy as np
import pandas as pd

from ..front_quality import Reference, hypervolume
from .surrogate import CONFIDENCE, Surrogate

DRAWS = 200


def int8_loss(variants: pd.DataFrame, precision: str = "int8_ptq") -> tuple[float, float, int]:
    """Accuracy lost to INT8, from the architectures of variants.csv in both formats: mean, standard deviation, count."""
    wide = variants.pivot_table(index="architecture", columns="precision", values="accuracy")
    lost = (wide["fp32"] - wide[precision]).dropna()
    return float(lost.mean()), float(lost.std(ddof=1)) if len(lost) > 1 else 0.0, len(lost)


def predict_accuracy(surrogate: Surrogate, points: pd.DataFrame, loss: tuple[float, float, int]) -> pd.DataFrame:
    """`Surrogate.predict` with int8_accuracy, int8_accuracy_low, int8_accuracy_high beside: the loss's own spread adds in
    quadrature (Student's t)."""
    from scipy import stats

    table = surrogate.predict(points)
    mean, spread, count = loss
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * spread * np.sqrt(1 + 1 / count) if count > 1 else 0.0
    table["int8_accuracy"] = table["accuracy"] - mean
    for end, sign in (("low", -1), ("high", 1)):
        gap = np.hypot(table[f"accuracy_{end}"] - table["accuracy"], reach)
        table[f"int8_accuracy_{end}"] = (table["int8_accuracy"] + sign * gap).clip(0, 1)
    return table


def expected_gains(
    front: pd.DataFrame, points: pd.DataFrame, accuracies: np.ndarray, minimise: list[str], reference: Reference
) -> np.ndarray:
    """Mean hypervolume (share of the box of `reference`) that each of `points` adds to `front`, one at a time.

    `accuracies` (points x draws) stand for the accuracy of the points; `front` has accuracy and `minimise`.
    """
    before = hypervolume(front, ["accuracy"], minimise, reference)
    top = max(float(accuracies.max()), float(front["accuracy"].max()), reference.worst["accuracy"])
    # With the other objectives fixed the gain is piecewise linear in the accuracy, with bends at the front's accuracies
    bends = np.unique([reference.worst["accuracy"], *front["accuracy"].clip(lower=reference.worst["accuracy"]), top])
    gains = np.zeros(len(points))
    for k, costs in enumerate(points[minimise].to_numpy(float)):
        grown = [_with(front, minimise, accuracy, costs) for accuracy in bends]
        at_bends = [hypervolume(table, ["accuracy"], minimise, reference) - before for table in grown]
        gains[k] = np.interp(accuracies[k], bends, at_bends).mean()
    return gains


def _with(front: pd.DataFrame, minimise: list[str], accuracy: float, costs: np.ndarray) -> pd.DataFrame:
    columns = ["accuracy", *minimise]
    return pd.DataFrame(np.vstack([front[columns].to_numpy(float), [accuracy, *costs]]), columns=columns)


def choose_candidates(
    surrogate: Surrogate, points: pd.DataFrame, front: pd.DataFrame, minimise: list[str], reference: Reference,
    *, count: int, lost: float = 0.0, seed: int = 7,
) -> pd.DataFrame:  # fmt: skip
    """The `count` rows of `points` that add the largest expected hypervolume to `front`, with `expected_gain`, best first.

    One after the other: a chosen network counts as if it had the predicted accuracy (Kriging believer, Ginsbourger et al.
    2010). `lost` is the accuracy that the platform's number format costs.
    """
    accuracies = surrogate.sample(points, DRAWS, seed) - lost
    middle = surrogate.predict(points)["accuracy"] - lost
    chosen, gains = [], []
    for _ in range(min(count, len(points))):
        gain = expected_gains(front, points, accuracies, minimise, reference)
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        gains.append(gain[best])
        front = _with(front, minimise, middle.iloc[best], points[minimise].iloc[best].to_numpy(float))
    return points.iloc[chosen].assign(expected_gain=gains)
