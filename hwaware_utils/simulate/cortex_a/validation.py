"""The simulator against published measurements: nothing is fitted, so every row tests it.

Latency does not depend on the weights, so networks with random weights stand for the published ones.
`python -m hwaware_utils.simulate.cortex_a.validation` simulates every row and records the table (about half an hour).
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from ...base.errors import UserError
from ...base.provenance import provenance
from ...base.results import REFERENCE, read_table, written_whole
from ...platforms.published import load_published
from ..comparison import random_inputs
from .simulation import simulate

PLATFORM = "nvidia_orin_a78ae"
RECORD = REFERENCE / "cortex_a78_validation.csv"
_PUBLISHED = {"device": "Jetson AGX Orin", "runtime": "TFLite vmaster (xnnpack)", "precision": "fp32", "threads": "1"}


def published_rows() -> pd.DataFrame:
    """Published FP32 rows with one thread: `family, alpha, resolution, classes, latency_ms, source_url`, fastest first."""
    table = load_published()
    chosen = table["family"] != "other"
    for column, value in _PUBLISHED.items():
        chosen &= table[column].astype(str) == value
    columns = ["family", "alpha", "resolution", "classes", "latency_ms", "source_url"]
    return table.loc[chosen, columns].sort_values("latency_ms", ignore_index=True)


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


def validate(rows: pd.DataFrame, folder: Path, say=print) -> pd.DataFrame:
    """Simulate each of `rows` (columns of `published_rows`); models are made in `folder` unless they are there.

    `platform, family, alpha, resolution, precision, threads, published_ms, latency_ms_low, latency_ms, latency_ms_high,
    relative_error` (of the central estimate), `inside` (the range), `instructions, simd_macs, filled_macs, workload_macs,
    source_url, evidence`.
    """
    found = []
    for row in rows.itertuples():
        path = folder / f"{row.family}_{row.alpha}_{row.resolution}.tflite"
        if not path.is_file():
            make_model(row.family, row.alpha, row.resolution, path, int(row.classes))
        run = simulate(path, random_inputs(path, 1), PLATFORM, timeout_s=1200)
        low, central, high = run.estimates["latency_ms"]
        say(f"{path.stem}: published {row.latency_ms:.2f} ms, simulated {low:.2f} - {central:.2f} - {high:.2f} ms")
        found.append(
            {"platform": PLATFORM, "family": row.family, "alpha": row.alpha, "resolution": row.resolution}
            | {"precision": "fp32", "threads": 1, "published_ms": row.latency_ms}
            | {"latency_ms_low": low, "latency_ms": central, "latency_ms_high": high}
            | {"relative_error": central / row.latency_ms - 1, "inside": low <= row.latency_ms <= high}
            | {"instructions": run.summary.loc[0, "instructions"]}
            | run.work.loc[0, ["simd_macs", "filled_macs", "workload_macs"]].to_dict()
            | {"source_url": row.source_url, "evidence": "simulated"}
        )
    return pd.DataFrame(found)


def record(table: pd.DataFrame) -> None:
    """Store a validation as `results/reference/cortex_a78_validation.csv`, with host, commit and date."""
    facts = {f"recorded_{name}": value for name, value in provenance().items() if name != "versions"}
    with written_whole(RECORD) as path:
        table.assign(evidence="recorded", **facts).to_csv(path, index=False, float_format="%.6g")


def recorded_validation() -> pd.DataFrame:
    """The stored validation (columns of `validate`, evidence `recorded`, and recorded_host, _commit, _date)."""
    return read_table(RECORD)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hwaware-a78-models-") as made:
        record(validate(published_rows(), Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)))
