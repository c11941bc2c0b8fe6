"""The published measurements that the models stand on: `params/published_measurements.csv`, each row with its source."""

from functools import lru_cache

import pandas as pd

from ..base.results import ROOT
from .specs import load_platform

PATH = ROOT / "params" / "published_measurements.csv"


@lru_cache(maxsize=1)
def _all_rows() -> pd.DataFrame:
    return pd.read_csv(PATH, dtype={"threads": str})


def load_published() -> pd.DataFrame:
    """All published rows: `device, core, freq_mhz, model, family, alpha, resolution, channels, classes, precision, threads,
    runtime, latency_ms, ram_kib, flash_kib, energy_uj, accuracy, source, source_url, note, evidence`."""
    return _all_rows().copy()


def select_published(rows: dict) -> pd.DataFrame:
    """Rows with a known network whose columns equal `rows`, e.g. `{device: ..., runtime: ..., threads: '1'}`."""
    table = _all_rows()
    chosen = table["family"] != "other"
    for column, value in rows.items():
        chosen &= table[column].astype(str) == str(value)
    return table[chosen].reset_index(drop=True)


def latency_ratios(device: str, runtime: str, against: str) -> pd.Series:
    """Latency of one runtime / that of another for every model that both ran on `device`, by model name."""
    rows = _all_rows()[_all_rows()["device"] == device]
    by_model = {name: rows[rows["runtime"] == name].set_index("model")["latency_ms"] for name in (runtime, against)}
    return (by_model[runtime] / by_model[against]).dropna()


def load_published_latency(platform: str) -> pd.DataFrame:
    """MobileNetV1/V2 latencies measured on this very platform (board, runtime and version), never a neighbour's.

    The columns of `load_published` behind `platform`; `precision` and `threads` as the models name them
    (`fp32`, `int8`; whole numbers). Empty for a platform that nobody has published. UserError for an unknown id.
    """
    spec = load_platform(platform)
    own = [(entry, entry["rows"]) for entry in spec.latency if "rows" in entry]
    own += [(entry, entry["anchor"]) for entry in spec.latency if entry.get("own")]
    tables = [
        select_published(rows).assign(platform=platform, precision=entry["precision"], threads=entry["threads"])
        for entry, rows in own
    ]
    columns = ["platform", *_all_rows().columns]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
