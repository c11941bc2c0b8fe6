"""The simulator against published measurements: nothing is fitted, so every row tests it.

Latency does not depend on the weights, so networks with random weights stand for the published ones.
"""

from pathlib import Path

import pandas as pd

from ...base.errors import UserError
from ...base.results import written_whole
from ...platforms.published import load_published_latency

PLATFORM = "nvidia_orin_a78ae"


def make_model(family: str, alpha: float, resolution: int, path: Path, classes: int = 1001) -> Path:
    """Write the FP32 .tflite of an untrained MobileNet with softmax to `path` (this imports TensorFlow); returns `path`."""
    from ...study.quantization import convert_fp32
    from ...study.tf import keras

    networks = {"mobilenet_v1": keras.applications.MobileNet, "mobilenet_v2": keras.applications.MobileNetV2}
    if family not in networks:
        raise UserError(f"family {family!r}: expected one of {', '.join(networks)}.")
    keras.utils.set_random_seed(7)
    model = networks[family](input_shape=(resolution, resolution, 3), alpha=alpha, weights=None, classes=classes)
    with written_whole(path) as part:
        part.write_bytes(convert_fp32(model))
    keras.backend.clear_session()
    return path


def published_rows(precision: str = "fp32") -> pd.DataFrame:
    """The published rows with one thread: `family, alpha, resolution, classes, latency_ms, source_url`, smallest first."""
    rows = load_published_latency(PLATFORM)
    rows = rows[(rows["precision"] == precision) & (rows["threads"] == 1)]
    return rows.sort_values("latency_ms")[["family", "alpha", "resolution", "classes", "latency_ms", "source_url"]]
