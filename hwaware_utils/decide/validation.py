"""Phase 5, before anything is shipped: what is known to hold for the choice, and what only the board can tell."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..base.artifacts import sha256
from ..platforms.specs import load_platform
from .recommendation import Recommendation

COLUMNS = ["check", "found", "expected", "passed", "sentence", "evidence"]
# What no table of this report can answer for the device in the reader's hand.
OPEN = {
    "latency on the board": "time the inference on the board and compare it with the interval",
    "energy on the board": "measure current and voltage at the board's supply while it infers",
    "sustained load": "run it for an hour in its housing and watch clock and temperature",
    "accuracy in the field": "label a sample of the device's own inputs; the test set is not the field",
}


def validate_deployment(
    answer: Recommendation, simulations: pd.DataFrame, model: Path | None = None, checksum: str = ""
) -> pd.DataFrame:
    """A row a check: `check, found, expected, passed, sentence, evidence`; `passed` is yes, no or not validated.

    Every limit at the pessimistic end, the runtime, each simulation of the choice on this platform (outputs equal, latency
    within the limit and against the model), the file's sha256 if `model` is given; then what is open. Empty when nothing
    was chosen.
    """
    if answer.choice is None:
        return pd.DataFrame(columns=COLUMNS)
    rows = _limits(answer)
    if model is not None:
        found = sha256(Path(model))
        rows.append(_row("model file", found[:12], checksum[:12], found == checksum, "sha256 of the file", "measured"))
    if len(simulations):
        own = simulations[(simulations["variant"] == answer.model) & (simulations["platform"] == answer.platform)]
        for row in own.to_dict("records"):
            rows += _simulation(answer, row)
    rows += [
        {"check": name, "found": "", "expected": "", "passed": "not validated", "sentence": f"{todo}", "evidence": "assumed"}
        for name, todo in OPEN.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _limits(answer: Recommendation) -> list[dict]:
    chosen, assessment, rows = answer.ranked[0], answer.assessment, []
    for k, limit in enumerate(assessment.limits):
        value, bound = float(assessment.held[k, chosen]), float(assessment.bounds[k])
        known = answer.choice.get(f"{limit.column}_evidence")
        told = f"{limit.label} at the pessimistic end, {limit.show(-assessment.excess[k, chosen])} of the limit unused"
        sign = "≥" if limit.at_least else "≤"
        rows.append(
            _row(limit.name, limit.show(value), f"{sign} {limit.show(bound)}", not assessment.broken[k, chosen], told)
            | {"evidence": known if isinstance(known, str) and known else answer.choice["evidence"]}
        )
    spec = load_platform(answer.platform)
    runs = spec.runs(answer.quantization)
    able = ", ".join(spec.arithmetics())
    told = f"{spec.runtime} {spec.runtime_version} executes this number format"
    return [*rows, _row("runtime", answer.quantization, able, runs, told, "published")]


def _simulation(answer: Recommendation, row: dict) -> list[dict]:
    rows, simulator = [], row["simulator"]
    compared, exact = row["outputs_compared"], row["outputs_bit_exact"]
    if pd.notna(compared) and compared > 0:
        difference, integer = row["max_abs_diff"], answer.quantization.startswith("int8")
        told = f"{simulator}: {exact:.0f} of {compared:.0f} outputs equal bit by bit, largest difference {difference:.2g}"
        # The sums of a float network depend on their order: equal bits are promised of integers only
        good = exact == compared if integer else difference < 1e-3
        expected = f"{compared:.0f} equal" if integer else "differences < 0.001"
        rows.append(_row("outputs", f"{exact:.0f} equal", expected, good, told, row["evidence"]))
    low, high = row["latency_ms_low"], row["latency_ms_high"]
    if pd.notna(high):
        bound = answer.constraints.get("latency_ms", np.inf)
        ends = [answer.choice.get(f"latency_ms_{end}", np.nan) for end in ("low", "high")]
        meets = "meets" if low <= ends[1] and high >= ends[0] else "does not meet"
        told = f"{simulator}: its range {meets} the interval of the estimate, {ends[0]:.3g} to {ends[1]:.3g} ms"
        limit = f"≤ {bound:g} ms" if np.isfinite(bound) else "no limit"
        rows.append(_row("simulated latency", f"{low:.3g} to {high:.3g} ms", limit, high <= bound, told, row["evidence"]))
    return rows


def _row(check: str, found: str, expected: str, passed: bool, sentence: str, evidence: str = "") -> dict:
    passed = "yes" if passed else "no"
    return {"check": check, "found": found, "expected": expected, "passed": passed, "sentence": sentence, "evidence": evidence}
