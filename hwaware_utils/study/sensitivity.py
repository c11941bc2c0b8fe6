"""Which operators cost accuracy in INT8, measured one by one, and a mixed file that spares the worst of them.

Measured with one operator in INT8 and all others in float. The reverse, one in float and all others in INT8, ranks
worse: one source of error taken from fifty changes the sum by less than the images that stand between two classes do.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..base.quiet import progress
from ..workload import load_workload
from .benchmark import predict_tflite
from .partial_int8 import Calibrated, load_operators, quantize_except


def mean_kl_nats(reference: np.ndarray, logits: np.ndarray) -> float:
    """Mean over images of the Kullback-Leibler divergence of softmax(logits) from softmax(reference); both (N, classes).

    >>> round(mean_kl_nats(np.array([[0.0, 0.0]]), np.log([[1.0, 3.0]])), 4)  # (1/2, 1/2) against (1/4, 3/4)
    0.1438
    """
    wanted, got = _log_softmax(reference), _log_softmax(logits)
    return float((np.exp(wanted) * (wanted - got)).sum(axis=1).mean())


def measure_sensitivity(calibrated: Calibrated, probe: np.ndarray, labels: np.ndarray | None = None) -> pd.DataFrame:
    """What each operator that multiplies costs when it alone runs in INT8, its input and output rounded as well.

    `probe` is uint8 (N, H, W, 3), training images that did not calibrate; `labels` (N,) adds `points_against_own_fp32`.
    Columns: index, name, operator; cost_nats, the divergence of the predictions from those in FP32, which ranks; the mean
    squared_logit_error; agreement, the share of images that get FP32's class; macs, weight_bytes (FP32), evidence.
    """
    _refuse_empty(probe)
    operators, every = load_operators(calibrated.fp32), set(load_workload(calibrated.fp32)["index"])
    reference = predict_tflite(calibrated.fp32, probe)
    rows = []
    for operator in progress(operators["index"], "one operator in INT8"):
        logits = _predict(quantize_except(calibrated, every - {operator}), probe)
        rows.append(_distance(reference, logits, labels))
    measured = pd.DataFrame(rows, index=operators.index)
    ordered = [operators[["index", "name", "operator"]], measured, operators[["macs", "weight_bytes"]]]
    return pd.concat(ordered, axis=1).assign(evidence="measured")


def quantize_mixed(
    calibrated: Calibrated,
    sensitivity: pd.DataFrame,
    probe: np.ndarray,
    error_share: float = 0.1,
    float_share: float = 0.1,
) -> tuple[bytes, list[str]]:
    """A .tflite in INT8 with the most sensitive operators in FP32, and the names of those.

    From the top of the ranking by `cost_nats` one operator after another is left in float, until the divergence from FP32
    on the `probe` images is at most `error_share` of pure INT8's. The budget is relative because accuracy cannot set it:
    on training images INT8 and FP32 hardly differ. An operator is passed over when with it more than `float_share` of the
    MACs or of the weights would be float; when the budget is out of reach so, the file with the least divergence is taken.
    At least one operator is left in float. The same input gives the same bytes.
    """
    _refuse_empty(probe)
    for name, share in (("error_share", error_share), ("float_share", float_share)):
        if not 0 < share < 1:
            raise UserError(f"{name} {share}: give a share between 0 and 1.")
    reference = predict_tflite(calibrated.fp32, probe)
    budget = error_share * mean_kl_nats(reference, _predict(quantize_except(calibrated, set()), probe))
    ranking = sensitivity.sort_values(["cost_nats", "index"], ascending=[False, True])
    chosen = _most_sensitive(ranking, float_share)
    best = (float("inf"), b"", 0)
    for count in progress(range(1, len(chosen) + 1), "operators in float"):
        content = quantize_except(calibrated, set(chosen["index"][:count]))
        best = min(best, (mean_kl_nats(reference, _predict(content, probe)), content, count), key=lambda tried: tried[0])
        if best[0] <= budget:
            break
    return best[1], chosen["name"][: best[2]].tolist()


def _most_sensitive(ranking: pd.DataFrame, float_share: float) -> pd.DataFrame:
    """The rows from the top that fit together into the share of MACs and of weights. UserError when none fits alone."""
    limits, used, chosen = ranking[["macs", "weight_bytes"]].sum() * float_share, 0, []
    for label, cost in ranking[["macs", "weight_bytes"]].iterrows():
        if (used + cost <= limits).all():
            used, chosen = used + cost, [*chosen, label]
    if not chosen:
        raise UserError(f"float_share {float_share}: every operator is larger; give a larger share.")
    return ranking.loc[chosen]


def _distance(reference: np.ndarray, logits: np.ndarray, labels: np.ndarray | None) -> dict:
    found, wanted = logits.argmax(-1), reference.argmax(-1)
    row = {
        "cost_nats": mean_kl_nats(reference, logits),
        "squared_logit_error": float(np.square(logits - reference).mean()),
        "agreement": float((found == wanted).mean()),
    }
    if labels is not None:
        row["points_against_own_fp32"] = 100 * float((found == labels).mean() - (wanted == labels).mean())
    return row


def _predict(content: bytes, images: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        return predict_tflite(path, images)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _refuse_empty(probe: np.ndarray) -> None:
    if not len(probe):
        raise UserError("0 probe images: give training images that were not used for calibration.")
