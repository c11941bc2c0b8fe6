"""The claims of another report, each held against arithmetic, physics, published measurements or ours (params/claims.yaml)."""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..base.errors import UserError
from ..base.results import ROOT
from .arithmetic import calculate
from .claim_sources import look_up

CLAIMS = ROOT / "params" / "claims.yaml"
VERDICTS = ("reproduced", "corrected", "refuted", "cannot be checked")
# What a value that does not hold is called: a slip of the pen is corrected, the world refutes
_WRONG = {"arithmetic": "corrected"}
_EVIDENCE = {"arithmetic": "modelled", "physics": "modelled", "measured": "recorded"}


class Claim(BaseModel):
    """One claim; see the head of params/claims.yaml."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    where: str
    claim: str
    value: float
    unit: str
    relation: Literal["equals", "at_most", "at_least"] = "equals"
    tolerance: Annotated[float, Field(ge=0)] = 0.05
    basis: Literal["arithmetic", "physics", "measured", "simulated", "modelled", "published"]
    formula: str | float = ""
    given: dict[str, float | str] = {}
    note: str


def load_claims(path: Path = CLAIMS) -> tuple[list[Claim], dict[str, pd.DataFrame]]:
    """The claims and the other report's own tables. UserError names the claim and the key that is wrong."""
    content = yaml.safe_load(path.read_text())
    claims = []
    for entry in content["claims"]:
        try:
            claims.append(Claim(**entry))
        except (ValidationError, TypeError) as error:
            problem = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("entry",), "msg": str(error)}
            name = entry.get("id", "?") if isinstance(entry, dict) else entry
            key = ".".join(str(part) for part in problem["loc"])
            raise UserError(f"{path.name}: claim {name!r}, {key}: {problem['msg']}.") from error
    names = [claim.id for claim in claims]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{path.name}: the claim {twice[0]!r} stands there twice.")
    return claims, {name: pd.DataFrame(table) for name, table in content.get("tables", {}).items()}


def audit(path: Path = CLAIMS) -> pd.DataFrame:
    """A row a claim: `id, where, claim, value, expected, unit, ratio, verdict, basis, arithmetic, note, evidence`.

    `expected` is what `formula` gives and `ratio` is value / expected; `arithmetic` is the formula with its numbers.
    `evidence` says how `expected` is known. UserError when a place named in `given` has no number.
    """
    claims, tables = load_claims(path)
    return pd.DataFrame([_checked(claim, tables) for claim in claims])


def _checked(claim: Claim, tables: dict[str, pd.DataFrame]) -> dict:
    row = {"id": claim.id, "where": claim.where, "claim": claim.claim, "value": claim.value}
    end = {"basis": claim.basis, "evidence": _EVIDENCE.get(claim.basis, claim.basis)}
    if claim.formula == "":
        nothing = {"expected": float("nan"), "unit": claim.unit, "ratio": float("nan"), "verdict": VERDICTS[-1]}
        return row | nothing | {"arithmetic": "", "note": claim.note} | end | {"evidence": "assumed"}
    try:
        given = {name: place if isinstance(place, float) else look_up(place, tables) for name, place in claim.given.items()}
        expected = calculate(str(claim.formula), given)
    except UserError as error:
        raise UserError(f"claim {claim.id!r}: {error}") from error
    verdict = "reproduced" if holds(claim, expected) else _WRONG.get(claim.basis, "refuted")
    ratio = claim.value / expected if expected else float("inf")
    told = {"expected": expected, "unit": claim.unit, "ratio": ratio, "verdict": verdict}
    note = claim.note.format(expected=expected, value=claim.value)
    return row | told | {"arithmetic": _written(str(claim.formula), given, expected), "note": note} | end


def holds(claim: Claim, expected: float) -> bool:
    """Whether the claim's value stands to `expected` as it must."""
    if claim.relation == "at_most":
        return claim.value <= expected
    if claim.relation == "at_least":
        return claim.value >= expected
    return abs(claim.value - expected) <= claim.tolerance * abs(expected)


def _written(formula: str, given: dict[str, float], expected: float) -> str:
    """'2 * macs / 1e6 = 601; macs = 3.01e+08'."""
    named = ", ".join(f"{name} = {value:.6g}" for name, value in given.items())
    return f"{formula} = {expected:.4g}" + (f"; {named}" if named else "")
