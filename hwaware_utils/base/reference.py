"""The stored reference under results/reference, as far as a notebook asks it for an accuracy."""

import pandas as pd

from .results import REFERENCE


def recorded_accuracy(sha256: str) -> dict | None:
    """The stored accuracy of the model with this sha256, as columns of variants.csv, or None."""
    path = REFERENCE / "variants.csv"
    if not path.is_file():
        return None
    stored = pd.read_csv(path).set_index("sha256")
    if sha256 not in stored.index:
        return None
    columns = ["accuracy", "accuracy_low", "accuracy_high", "accuracy_n", "dataset", "evidence"]
    return stored.loc[[sha256], columns].iloc[0].to_dict()
