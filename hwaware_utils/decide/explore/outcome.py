"""What came of an exploration: predictions beside measurements, and how much the front has grown."""

import pandas as pd

from ..front_quality import Reference, hypervolume, reference_point
from ..pareto import fronts
from .candidates import choose_candidates, predict_accuracy
from .search import Search
from .space import NEEDS, point_table, points_of
from .surrogate import CONFIDENCE

SETTINGS = ["expansion", "stream", "head", "resolution", "taught"]


def compare(search: Search, measured: pd.DataFrame) -> pd.DataFrame:
    """`measured` (`study.explored.train_candidates`) beside what the surrogate says of it, and what it needs on the platform.

    Adds predicted, predicted_low, predicted_high (in the row's number format), error_points (predicted - measured,
    hundredths), inside, confidence, latency_ms, ram_kib, flash_kib, energy_mj, fits. `evidence` stays the accuracy's.
    """
    rows = []
    for row in measured.to_dict("records"):
        precision = "int8" if row["precision"].startswith("int8") else row["precision"]
        point = points_of(pd.DataFrame([row]))
        needs = point_table(point, search.start, search.platform, precision, search.threads)
        told = predict_accuracy(search.surrogate, needs, search.loss).iloc[0]
        prefix = "int8_" if precision == "int8" else ""
        low, middle, high = (told[f"{prefix}accuracy{end}"] for end in ("_low", "", "_high"))
        rows.append(
            row
            | {"predicted": middle, "predicted_low": low, "predicted_high": high, "confidence": CONFIDENCE}
            | {"error_points": 100 * (middle - row["accuracy"]), "inside": bool(low <= row["accuracy"] <= high)}
            | {name: told[name] for name in (*NEEDS, "fits")}
        )
    return pd.DataFrame(rows)


def networks(hand: pd.DataFrame, compared: pd.DataFrame) -> pd.DataFrame:
    """All trained networks that fit the platform: variant, source (hand-made, explored), accuracy, NEEDS (where known),
    on_front, hand_front (without the explored ones), dominated_by, evidence (of the accuracy).

    `hand`: rows of configurations.csv for the platform that fit.
    """
    old = hand.assign(source="hand-made", evidence=hand["accuracy_evidence"])
    new = compared[compared["fits"]].assign(source="explored")
    columns = ["variant", "source", "precision", "accuracy", "latency_ms", "energy_mj", "evidence"]
    table = pd.concat([old[columns], new[columns]], ignore_index=True)
    first = fronts(old.reset_index(drop=True), ["accuracy"], ["latency_ms"])
    hand_front = table["variant"].isin(first.loc[first["on_front"], "variant"]) & (table["source"] == "hand-made")
    return fronts(table, ["accuracy"], ["latency_ms"]).assign(hand_front=hand_front)


def hypervolumes(found: pd.DataFrame, predicted: pd.DataFrame) -> tuple[pd.DataFrame, Reference]:
    """Hypervolume (accuracy, latency) of three fronts in one box, that of the hand-made networks: front, networks (on it),
    hypervolume, ratio (to the first), evidence; and the box.

    `found` is `networks`; `predicted` a front of trials. The last row holds accuracies that nobody has measured.
    """
    old = found[found["source"] == "hand-made"]
    box = reference_point(old, ["accuracy"], ["latency_ms"])
    everything = pd.concat([found, predicted], ignore_index=True)
    cases = [("hand-made", old, "measured"), ("and trained candidates", found, "measured"),
             ("and the predicted front", everything, "modelled")]  # fmt: skip
    rows = []
    for name, table, evidence in cases:
        best = fronts(table[["accuracy", "latency_ms"]].assign(variant="").reset_index(drop=True), ["accuracy"], ["latency_ms"])
        volume = hypervolume(table, ["accuracy"], ["latency_ms"], box)
        # the latency is a model's in all three; the first two accuracies were measured
        rows.append({"front": name, "networks": int(best["on_front"].sum()), "hypervolume": volume, "accuracies": evidence})
    result = pd.DataFrame(rows).assign(evidence="modelled")
    return result.assign(ratio=result["hypervolume"] / result["hypervolume"].iloc[0]), box


def next_candidates(search: Search, front: pd.DataFrame, hand: pd.DataFrame, box: Reference, count: int, seed: int):
    """The rows of a study's `front` that the surrogate expects to add most to the hand-made front (INT8 where it runs), with
    expected_gain in shares of the box."""
    precision = "int8" if "int8" in search.formats else search.formats[0]
    rows = front[front["precision"] == precision].reset_index(drop=True)
    lost = search.loss[0] if precision == "int8" else 0.0
    chosen = choose_candidates(
        search.surrogate, rows, hand[["accuracy", "latency_ms"]], ["latency_ms"], box, count=count, lost=lost, seed=seed
    )
    return chosen[
        [*SETTINGS, "precision", "accuracy", "accuracy_low", "accuracy_high", "latency_ms", "expected_gain", "evidence"]
    ]
