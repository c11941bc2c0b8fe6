"""What another limit would bring or cost: found by stepping over the configurations' own values, nothing interpolated."""

import math

import numpy as np
import pandas as pd

from ..base.errors import UserError, nearest
from .constraints import CUSTOM, Limit
from .ranking import gain, order

COLUMNS = [
    *("constraint", "change", "limit", "relaxed_to", "limit_unit", "gain", "unit", "variant", "sentence", "evidence"),
]


def sensitivity(answer) -> pd.DataFrame:
    """A price list of every limit: each relaxation that improves the objective further, smallest first (`change` relax), and
    how far a user's limit may be tightened before the choice falls, and what that costs (`change` tighten).

    `constraint, change, limit, relaxed_to, limit_unit, gain, unit, variant, sentence, evidence`. `relaxed_to` is the limit to
    ask for (tighten: the tightest that keeps the choice), `gain` how much the objective improves with it, NaN if there was
    no choice before; for tighten it is negative, the loss just beyond `relaxed_to`, -inf if nothing is left there. Only one
    limit moves at a time; one that holds no better configuration back has no `relax` row.
    """
    rows = []
    for position in range(len(answer.assessment.limits)):
        rows += _relax(answer, position) + _tighten(answer, position)
    return pd.DataFrame(rows, columns=COLUMNS)


def _relax(answer, position: int) -> list[dict]:
    assessment, cost = answer.assessment, answer.keys[0]
    limit, held = assessment.limits[position], assessment.held[position]
    others = np.delete(assessment.broken, position, axis=0).any(axis=0)
    best = start = cost[answer.ranked[0]] if answer.ranked.size else math.inf
    held_back = assessment.broken[position] & ~others & ~np.isnan(held)
    rows = []
    for step, winner in _steps(answer, limit, held, held_back, ~others, best):
        row = _row(answer, position, "relax", step, winner, start - cost[winner])
        more = limit.show(_rounded(abs(step - row["limit"]), up=True))
        wish = f"With {more} {'less' if limit.at_least else 'more'} {_subject(limit)} (a limit of {_shown(limit, step)})"
        if math.isinf(start):
            return [row | {"gain": math.nan, "sentence": f"{wish} there is a choice: {row['variant']}."}]
        rows.append(row | {"sentence": f"{wish} {_effect(answer, row['gain'])}: {row['variant']}."})
    return rows


def _steps(answer, limit: Limit, held: np.ndarray, waiting: np.ndarray, allowed: np.ndarray, best: float):
    """(value, position) of each configuration that, as the limit loosens, beats all before it; `waiting` may be next."""
    cost = answer.keys[0]
    while (better := waiting & (cost < best)).any():
        step = held[better].max() if limit.at_least else held[better].min()
        within = allowed & ((held >= step) if limit.at_least else (held <= step))
        winner = order(answer.keys, answer.assessment.variants, within)[0]
        best = cost[winner]
        yield step, winner


def staircase(answer, name: str) -> pd.DataFrame:
    """The choice as a function of one of the user's limits, the others kept: a row where it changes, tightest first.

    `constraint, limit, limit_unit, variant, goal, value, unit, evidence`: from `limit` on `variant` is the best, `value` is
    its objective in `unit`. UserError for a limit that is none.
    """
    if name not in CUSTOM:
        raise UserError(f"constraint {name!r} is unknown{nearest(name, CUSTOM)}")
    limit, broken, names = CUSTOM[name], answer.assessment.broken, list(answer.constraints)
    others = (np.delete(broken, names.index(name), axis=0) if name in names else broken).any(axis=0)
    held, (divisor, unit, goal) = limit.values(answer.candidates), gain(answer.objective)
    allowed = ~others & ~np.isnan(held)
    rows = []
    for step, winner in _steps(answer, limit, held, allowed, allowed, math.inf):
        row = {
            "constraint": name,
            "limit": float(step),
            "limit_unit": limit.unit,
            "variant": answer.assessment.variants[winner],
        }
        value = abs(float(answer.keys[0][winner])) / divisor
        row |= {"goal": goal, "value": value, "unit": "%" if unit == "points" else unit}
        rows.append(row | {"evidence": _evidence(answer.candidates.iloc[winner], limit.column)})
    columns = ["constraint", "limit", "limit_unit", "variant", "goal", "value", "unit", "evidence"]
    return pd.DataFrame(rows, columns=columns)


def _tighten(answer, position: int) -> list[dict]:
    assessment, cost = answer.assessment, answer.keys[0]
    limit, held = assessment.limits[position], assessment.held[position]
    if limit.name not in CUSTOM or not answer.ranked.size:
        return []
    chosen = answer.ranked[0]
    own = held[chosen]
    tighter = assessment.keeps_all & ((held > own) if limit.at_least else (held < own))
    rest = order(answer.keys, assessment.variants, tighter)
    slack = limit.show(_rounded(abs(own - assessment.bounds[position]), up=False))
    free = f"The limit on {_subject(limit)} may be {_shown(limit, own)}, tighter by {slack}, at no cost; beyond that"
    if not rest.size:
        row = _row(answer, position, "tighten", own, chosen, -math.inf)
        return [row | {"variant": "", "sentence": f"{free} nothing is left."}]
    row = _row(answer, position, "tighten", own, rest[0], cost[chosen] - cost[rest[0]])
    return [row | {"sentence": f"{free} {_effect(answer, row['gain'])}: {row['variant']}."}]


def _row(answer, position: int, change: str, step: float, winner: int, improvement: float) -> dict:
    limit, (divisor, unit, _) = answer.assessment.limits[position], gain(answer.objective)
    return {
        "constraint": limit.name,
        "change": change,
        "limit": float(answer.assessment.bounds[position]),
        "relaxed_to": float(step),
        "limit_unit": limit.unit,
        "gain": float(improvement / divisor),
        "unit": unit,
        "variant": answer.assessment.variants[winner],
        # a step of a modelled quantity is modelled, however well the objective is known
        "evidence": _evidence(answer.candidates.iloc[winner], limit.column),
    }


def _evidence(row: pd.Series, column: str) -> str:
    own = row.get(f"{column}_evidence")
    return own if isinstance(own, str) and own else row["evidence"]


def _subject(limit) -> str:
    return limit.label if limit.name in CUSTOM else f"{limit.label} on the device"


def _effect(answer, amount: float) -> str:
    _, unit, word = gain(answer.objective)
    if word == "distance":
        return f"the distance {'grows' if amount < 0 else 'falls'} by {abs(amount):.3g}"
    verb = ("gain", "lose") if word == "accuracy" else ("save", "pay")
    if not amount:
        return f"{word} stays the same"
    return f"you {verb[amount < 0]} {abs(amount):.3g} {unit} of {word}"


def _shown(limit, step: float) -> str:
    """The limit to ask for, rounded to the lenient side, so that following the sentence works.

    >>> _shown(CUSTOM["latency_ms"], 177.59954), _shown(CUSTOM["accuracy"], 0.88456)
    ('177.6 ms', '0.8845')
    """
    return limit.show(_rounded(step, up=not limit.at_least))


def _rounded(value: float, up: bool) -> float:
    """`value` to four significant digits, up or down.

    >>> _rounded(177.5911, True), _rounded(0.88456, False), _rounded(0.0, True)
    (177.6, 0.8845, 0.0)
    """
    if not value or not math.isfinite(value):
        return value
    digits = 3 - math.floor(math.log10(abs(value)))
    nearest = round(value, digits)
    if (nearest < value) if up else (nearest > value):
        nearest = round(nearest + (1 if up else -1) * 10.0**-digits, digits)
    return nearest
