"""How soon monitoring notices each corruption of the test set, beside what the corruption costs in accuracy."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..base.artifacts import sha256
from ..base.errors import UserError
from ..base.reference import required_table
from ..study.benchmark import predict_tflite, wilson_interval
from ..study.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from ..study.data import Dataset
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
    clean, stream = _halves(len(images), seed)
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


def watch_change(
    model: Path, images: np.ndarray, kind: str, severity: int, *, window: int = 100, false_alarm_rate: float = 0.01,
    seed: int = 7,
) -> pd.DataFrame:  # fmt: skip
    """A stream that changes half-way: `monitor_stream`'s table (method psi) with the columns corruption, severity, changed.

    Half of `images` are the clean data, the other half the stream; from the middle of its windows on, every frame is under
    the corruption (`changed`).
    """
    clean, stream = _halves(len(images), seed)
    seen, change = images[stream].copy(), len(stream) // window // 2 * window
    seen[change:] = corrupt(seen[change:], kind, severity)
    logits = [predict_tflite(model, part, say="stream") for part in (images[clean], seen)]
    watched = monitor_stream(
        images[clean], logits[0], seen, logits[1], window=window, false_alarm_rate=false_alarm_rate, seed=seed
    )
    return watched.assign(corruption=kind, severity=severity, changed=watched["frames"] > change)


def drift_tables(model: Path, data: Dataset | None, p) -> tuple[pd.DataFrame, pd.DataFrame]:
    """drift.csv (`measure_drift`) and drift_stream.csv (`watch_change`) of a .tflite, or what was recorded for its bytes.

    `p` holds test_images, drift_severities, drift_window, false_alarm_rate, update_corruption, update_severity and seed.
    Both have a column sha256. UserError when there is no data set and nothing is recorded for these settings, or when there
    are fewer test images.
    """
    checksum = sha256(model)
    if data is None:
        return _recorded(model, checksum, p)
    images, labels = sample(data, p.test_images, p.seed)
    options = {"window": p.drift_window, "false_alarm_rate": p.false_alarm_rate, "seed": p.seed}
    summary = measure_drift(model, images, labels, severities=p.drift_severities, **options)[0]
    stream = watch_change(model, images, p.update_corruption, p.update_severity, **options)
    return summary.assign(sha256=checksum), stream.assign(sha256=checksum)


def _recorded(model: Path, checksum: str, p) -> tuple[pd.DataFrame, pd.DataFrame]:
    summary, stream = (required_table(name, checksum, model.name) for name in ("drift", "drift_stream"))
    found = {"drift_window": int(stream["frames"].min()), "update_corruption": stream["corruption"].iloc[0],
             "update_severity": int(stream["severity"].iloc[0]),
             "drift_severities": sorted(set(summary["severity"].tolist()) - {0})}  # fmt: skip
    for name, value in found.items():
        wanted = sorted(getattr(p, name)) if name == "drift_severities" else getattr(p, name)
        if wanted != value:
            raise UserError(
                f"drift is recorded with {name} = {value}, not {wanted}, and there is no data set: set HWAWARE_DATA."
            )
    return summary, stream


def sample(data: Dataset, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """So many test images and their labels, the same ones for the same seed. UserError when there are fewer."""
    if images > len(data.x_test):
        raise UserError(f"test_images {images}: the data set has {len(data.x_test)} test images.")
    chosen = np.random.default_rng(seed).permutation(len(data.x_test))[:images]
    return data.x_test[chosen], data.y_test[chosen]


def _halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2], order[count // 2 :]


def detection(summary: pd.DataFrame, harm_points: float = 1.0) -> pd.DataFrame:
    """What each method noticed, from `measure_drift`'s summary: harmful means that `harm_points` of accuracy or more are lost.

    Columns: method, harmful, harmful_noticed, worst_missed_points (lost unnoticed; 0 if nothing is), harmless,
    harmless_noticed, cheapest_noticed_points (lost to the least harmful change that was noticed), slowest_frames (until
    the last of the noticed ones is), clean_alarm_share, evidence.
    """
    rows = []
    for method, part in summary.groupby("method", sort=False):
        changed, lost = part["corruption"] != "none", -part["accuracy_change_points"]
        harm, seen = lost >= harm_points, part["trigger_frames"].notna()
        missed = lost[changed & ~seen]
        rows.append(
            {"method": method, "harmful": (changed & harm).sum(), "harmful_noticed": (changed & harm & seen).sum(),
             "worst_missed_points": max(0.0, missed.max()) if len(missed) else 0.0,
             "harmless": (changed & ~harm).sum(), "harmless_noticed": (changed & ~harm & seen).sum(),
             "cheapest_noticed_points": lost[changed & seen].min(),
             "slowest_frames": part.loc[changed, "trigger_frames"].max(),
             "clean_alarm_share": part.loc[~changed, "alarm_share"].iloc[0], "evidence": part["evidence"].iloc[0]}
        )  # fmt: skip
    return pd.DataFrame(rows)
