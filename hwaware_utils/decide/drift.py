"""How soon monitoring notices each corruption of the test set, beside what the corruption costs in accuracy."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError
from ..study.benchmark import predict_tflite, wilson_interval
from ..study.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from .monitoring import METHODS, first_alarm, monitor_stream


def measure_drift(
    model: Path, images: np.ndarray, labels: np.ndarray, *, severities=SEVERITIES, window: int = 100,
    false_alarm_rate: float = 0.01, seed: int = 7,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Half of the test images are the clean data, the other half the stream: as it is, then under every corruption.

    `model` is a .tflite, `images` uint8 (N, H, W, 3) that it was not trained on, `labels` (N,). Returns (summary,
    windows). `windows` is `monitor_stream`'s table with the columns corruption and severity (`none` and 0: clean).
    `summary`: corruption, severity, method, accuracy with its interval, accuracy_change_points, alarm_share (of the
    windows), trigger_frames (seen when an update is triggered, missing if never), trigger_signal, evidence.
    """
    if len(images) != len(labels):
        raise UserError(f"{len(images)} images, {len(labels)} labels: give one label an image.")
    order = np.random.default_rng(seed).permutation(len(images))
    clean, stream = order[: len(images) // 2], order[len(images) // 2 :]
    clean_logits = predict_tflite(model, images[clean], say="clean data")
    cases = [("none", 0), *((kind, severity) for kind in CORRUPTIONS for severity in severities)]
    summary, windows, unharmed = [], [], np.nan
    for kind, severity in cases:
        seen = images[stream] if kind == "none" else corrupt(images[stream], kind, severity)
        logits = predict_tflite(model, seen, say=f"{kind} {severity}")
        correct, n = int((logits.argmax(-1) == labels[stream]).sum()), len(stream)
        unharmed = correct / n if kind == "none" else unharmed
        low, high = wilson_interval(correct, n)
        accuracy = {"accuracy": correct / n, "accuracy_low": low, "accuracy_high": high, "accuracy_n": n}
        for method in METHODS:
            watched = monitor_stream(
                images[clean], clean_logits, seen, logits,
                window=window, false_alarm_rate=false_alarm_rate, method=method, seed=seed,
            )  # fmt: skip
            frames, signal = first_alarm(watched) or (np.nan, "")
            summary.append(
                {"corruption": kind, "severity": severity, "method": method, **accuracy,
                 "accuracy_change_points": 100 * (correct / n - unharmed),
                 "alarm_share": watched.groupby("window")["alarm"].any().mean(),
                 "trigger_frames": frames, "trigger_signal": signal}
            )  # fmt: skip
            windows.append(watched.assign(corruption=kind, severity=severity))
    return pd.DataFrame(summary).assign(evidence="measured"), pd.concat(windows, ignore_index=True)
