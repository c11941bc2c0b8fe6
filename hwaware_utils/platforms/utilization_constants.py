"""`params/models/utilization.yaml`: the constants of the utilisation, and the figures of the reference report's claim."""

from functools import lru_cache

import pandas as pd
import yaml

from ..base.results import ROOT
from .specs import Quantity, read_quantity

PATH = ROOT / "params" / "models" / "utilization.yaml"
BOUNDS = {
    "issue_width": ("instructions/cycle", (1, 16), (1, 16)),
    "access": ("B", (1, 64), (1, 64)),
    "line": ("B", (8, 256), (8, 256)),
    "near_limit": ("ratio", (0.01, 1), (0.01, 1)),
}


@lru_cache(maxsize=1)
def _content() -> dict:
    return yaml.safe_load(PATH.read_text())


def near_limit() -> float:
    """The share from which a resource counts as near its limit. UserError if its certificate is faulty."""
    return _quantity("near_limit", _content()["near_limit"]).value


def of_platforms(name: str) -> dict[str, Quantity]:
    """Platform -> `issue_width` (instructions a cycle), `access` or `line` (B). UserError names what is faulty."""
    return {platform: _quantity(name, entry) for platform, entry in _content()[name].items()}


def _quantity(name: str, entry: dict) -> Quantity:
    return read_quantity(name, entry, "application", PATH.name, BOUNDS)


def load_claim() -> tuple[dict, pd.DataFrame]:
    """The reference report's `platform`, `peak_gflops` (1e9 FLOP/s), `claimed` utilisations (int8, dynamic, mean) and `source`;
    and its rows: model, flops_m (1e6 an inference), latency_ms, arithmetic."""
    claim = _content()["claim"]
    return {name: claim[name] for name in ("platform", "peak_gflops", "claimed", "source")}, pd.DataFrame(claim["rows"])
