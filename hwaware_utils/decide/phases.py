"""The five phases of a hardware-aware design, each a function with a table as its outcome; the fifth is `validation`.

Every phase reads one `Recommendation`, so that all of them speak of the same platform, limits and configurations.
"""

import numpy as np
import pandas as pd

from ..base.errors import UserError, nearest
from ..platforms.roofline import roofline
from ..platforms.specs import load_platform
from .constraints import CUSTOM, DEVICE
from .pareto import fronts
from .recommendation import Recommendation

# Cost of each two-goal front against accuracy.
FRONTS = {"latency": "latency_ms", "memory": "ram_bytes", "size": "size_bytes", "energy": "energy_mj"}
_SHOWN = ["variant", "architecture", "precision", "accuracy", "latency_ms", "ram_bytes", "size_bytes", "energy_mj"]


def specify_constraints(answer: Recommendation) -> pd.DataFrame:
    """Phase 1, what must be kept: `constraint, quantity, direction, limit, unit, source, evidence`, the runtime last."""
    spec = load_platform(answer.platform)
    certificates = {limit.name: spec.constants.get(name) for name, limit in DEVICE.items()}
    rows = []
    for limit, bound in zip(answer.assessment.limits, answer.assessment.bounds, strict=True):
        known = certificates.get(limit.name)
        source, evidence = (known.source, known.evidence) if known else ("the application", "assumed")
        row = {"constraint": limit.name, "quantity": limit.label, "direction": "at least" if limit.at_least else "at most"}
        rows.append(row | {"limit": bound, "unit": limit.unit, "source": source, "evidence": evidence})
    runtime = {"constraint": "runtime", "quantity": "number format", "direction": f"one of {', '.join(spec.arithmetics())}"}
    rows.append(runtime | {"unit": "", "source": f"{spec.runtime} {spec.runtime_version}", "evidence": "published"})
    return pd.DataFrame(rows, columns=["constraint", "quantity", "direction", "limit", "unit", "source", "evidence"])


def profile_baseline(answer: Recommendation, workload: pd.DataFrame, variant: str = "baseline-fp32") -> pd.DataFrame:
    """Phase 2, where the unoptimised network stands: `quantity, value, unit, limit, times_limit, finding, evidence`.

    A row for each limit, held against the pessimistic end, and one for the bottleneck: the share of the roofline's least
    time that arithmetic, not traffic, decides. `workload`: the operators of `variant` (workloads.csv). UserError when it
    is no candidate.
    """
    assessment, position = answer.assessment, _position(answer, variant)
    row, rows = answer.candidates.iloc[position], []
    whys = assessment.violations(np.array([position])).set_index("constraint")["sentence"]
    for limit, value, bound in zip(assessment.limits, assessment.held[:, position], assessment.bounds, strict=True):
        known = row.get(f"{limit.column}_evidence")
        rows.append(
            {"quantity": limit.label, "value": value, "unit": limit.unit, "limit": bound}
            | {"times_limit": value / bound if bound else np.nan, "finding": whys.get(limit.name, "kept")}
            | {"evidence": known if isinstance(known, str) and known else row["evidence"]}
        )
    spec = load_platform(answer.platform)
    finding = whys.get("runtime", "kept")
    rows.append({"quantity": "runtime", "unit": "", "finding": finding, "evidence": "published"})
    if finding == "kept" and len(workload):
        bounds = roofline(workload, spec, row["precision"])
        share = bounds.loc[bounds["limit"] == "compute", "bound_ms"].sum() / bounds["bound_ms"].sum()
        told = f"{'arithmetic' if share >= 0.5 else 'traffic'} decides most of the least time"
        rows.append({"quantity": "compute-bound share", "value": share, "unit": "", "finding": told, "evidence": "modelled"})
    return pd.DataFrame(rows, columns=["quantity", "value", "unit", "limit", "times_limit", "finding", "evidence"])


def explore_design_space(answer: Recommendation) -> pd.DataFrame:
    """Phase 3, every configuration with its fate: its numbers, `kept`, `n_broken`, `broken` (the names), `evidence`."""
    names = np.array([*(limit.name for limit in answer.assessment.limits), "runtime"], dtype=object)
    broken = answer.assessment.broken
    return answer.candidates[_SHOWN].assign(
        kept=answer.assessment.keeps_all,
        n_broken=broken.sum(axis=0),
        broken=[", ".join(names[column]) for column in broken.T],
        evidence=answer.candidates["evidence"],
    )


def analyse_fronts(answer: Recommendation) -> pd.DataFrame:
    """Phase 4, what is not dominated among what keeps every limit: a row each, `on_<goal>_front` (accuracy against latency,
    memory, size, energy), `n_fronts`, `best_for` (the goals in which it is the cheapest of the front), `chosen`, `evidence`."""
    kept = answer.candidates[answer.assessment.keeps_all].reset_index(drop=True)
    table = kept[_SHOWN].assign(evidence=kept["evidence"])
    for goal, column in FRONTS.items():
        table[f"on_{goal}_front"] = fronts(kept, ["accuracy"], [column])["on_front"] if len(kept) else False
    flags = [f"on_{goal}_front" for goal in FRONTS]
    least = [goal for goal, column in FRONTS.items() if kept[column].notna().any()]
    cheapest = {goal: set(kept.loc[kept[FRONTS[goal]] == kept[FRONTS[goal]].min(), "variant"]) for goal in least}
    on = {goal: set(table.loc[table[f"on_{goal}_front"], "variant"]) & names for goal, names in cheapest.items()}
    best = [", ".join(goal for goal, names in on.items() if name in names) for name in table["variant"]]
    return table.assign(n_fronts=table[flags].sum(axis=1), best_for=best, chosen=table["variant"] == answer.model)


def application_limits(answer: Recommendation) -> str:
    """The user's limits in words, for sentences: 'latency at most 200 ms, RAM at most 0.6 MB'."""
    wishes = [(CUSTOM[name], value) for name, value in answer.constraints.items()]
    told = [f"{limit.label} at {'least' if limit.at_least else 'most'} {limit.show(value)}" for limit, value in wishes]
    return ", ".join(told) or "none"


def _position(answer: Recommendation, variant: str) -> int:
    names = answer.candidates["variant"].tolist()
    if variant not in names:
        raise UserError(f"variant {variant!r} is no configuration of {answer.platform}{nearest(variant, names)}")
    return names.index(variant)
