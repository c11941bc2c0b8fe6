"""The methodology's rule in Vega's expressions: what the sliders mean, what they let through, and which row is taken.

Nothing is ranked here: `decide.decision_page` has computed every order, so that the page cannot prefer anything else.
"""

import altair as alt
import pandas as pd

from ..decide.decision_page import LIMITS, accuracy_steps, limit_steps
from ..decide.ranking import OBJECTIVES
from ..platforms.specs import load_platform

UNITS = {"latency_ms": " ms", "ram_mb": " MB", "energy_mj": " mJ", "accuracy": ""}
NAMES = {"latency_ms": "latency", "ram_mb": "RAM", "energy_mj": "energy", "accuracy": "accuracy"}
# The horizontal axis follows the objective: a front of what it does not ask for would not explain the pick
AXIS = "objective == 'memory' ? 'ram_mb' : objective == 'energy' ? 'energy_mj' : 'latency_ms'"
NONE = 1e9  # the rank of what cannot be picked


def parameters(rows: pd.DataFrame, platform: str, objective: str, latency_ms: float | None) -> list[alt.Parameter]:
    """Two lists and four sliders, and what follows from them: `<column>_limit` (null: none), `shown` (the axis' column).

    A slider counts steps; `<column>_step_told` says what its step means, and charts.js puts that beside it.
    """
    known = rows["platform"].drop_duplicates().tolist()
    titles, goals = [load_platform(name).title for name in known], list(OBJECTIVES)
    params = [
        alt.param(name="platform", value=platform, bind=alt.binding_select(options=known, labels=titles, name="platform")),
        alt.param(name="objective", value=objective, bind=alt.binding_select(options=goals, name="best for")),
    ]
    for name in NAMES:
        params += _slider(name, rows[f"{name}_held"].to_numpy(float), latency_ms if name == "latency_ms" else None)
    limits = ", ".join(f"{name}: {name}_limit" for name in NAMES)
    return [*params, alt.param(name="shown", expr=AXIS), alt.param(name="shown_limit", expr=f"{{{limits}}}[shown]")]


def _slider(name: str, held, first: float | None) -> list[alt.Parameter]:
    if name == "accuracy":
        steps, side, told = [None, *accuracy_steps(held)], "least", "format(accuracy_limit, '.3f')"
    else:
        steps, side, told = [*limit_steps(held, first), None], "most", f"{name}_limit + '{UNITS[name]}'"
    numbers = ", ".join("null" if step is None else repr(step) for step in steps)
    bind = alt.binding_range(min=0, max=len(steps) - 1, step=1, name=f"{NAMES[name]} at {side}")
    return [
        alt.param(name=f"{name}_step", value=steps.index(first), bind=bind),
        alt.param(name=f"{name}_limit", expr=f"[{numbers}][{name}_step]"),
        alt.param(name=f"{name}_step_told", expr=f"{name}_limit === null ? 'no limit' : {told}"),
    ]


def decide(chart: alt.LayerChart) -> alt.LayerChart:
    """Adds to each row of the chosen platform what the limits make of it.

    `feasible`, `on_front` (of the feasible, accuracy against `x`), `picked`, and `told`: the one row that the text is about,
    the pick or else the nearest miss (the least of the worst relative excesses, then the fewest limits broken).
    """
    chart = chart.transform_filter("datum.platform == platform")
    for name, expression in _per_row().items():
        chart = chart.transform_calculate(name, expression)
    order = [("x", "ascending"), ("accuracy", "descending"), ("position", "ascending")]
    along = {"sort": [alt.SortField(field, order=way) for field, way in order], "groupby": ["drawn"]}
    near = [alt.SortField(field, order="ascending") for field in ("worst", "broken", "position")]
    return (
        chart.transform_joinaggregate(best="min(rank)", n_feasible="sum(counted)", n="count()")
        .transform_window(top="max(accuracy)", frame=[None, 0], **along)
        .transform_window(window=[alt.WindowFieldDef(**{"op": "lag", "field": "top", "as": "top_before"})], **along)
        .transform_window(nearness="row_number()", sort=near)
        .transform_calculate("on_front", "datum.drawn && (!isValid(datum.top_before) || datum.accuracy > datum.top_before)")
        .transform_calculate("picked", f"datum.rank == datum.best && datum.best < {NONE}")
        .transform_calculate("told", f"datum.picked || (datum.best >= {NONE} && datum.nearness == 1)")
    )


def _per_row() -> dict[str, str]:
    steps = {}
    for name in LIMITS.values():
        over, limit = f"{'-' if name == 'accuracy' else ''}(datum.{name}_held - {name}_limit)", f"{name}_limit"
        # What is unknown breaks its limit by infinity, as in constraints.Assessment
        known = f"!isValid(datum.{name}_held) ? 1 / 0 : {over} > 0 ? {over} / {limit} : 0"
        steps[f"{name}_over"] = f"{limit} === null ? 0 : {known}"
    overs = [f"datum.{name}" for name in steps]
    device = "datum.device_broken == 0 ? 0 : isValid(datum.device_worst) ? datum.device_worst : 1 / 0"
    rank = "datum['rank_' + objective]"
    return steps | {
        "x": "datum[shown]",
        "x_low": "datum[shown + '_low']",
        "x_held": "datum[shown + '_held']",
        "known": "datum[shown + '_evidence']",
        "broken": " + ".join(["datum.device_broken", *(f"({over} > 0 ? 1 : 0)" for over in overs)]),
        "worst": f"max({', '.join(overs)}, {device})",
        "feasible": "datum.broken == 0",
        "counted": "datum.feasible ? 1 : 0",
        "drawn": "datum.feasible && isValid(datum.x)",
        "rank": f"datum.feasible && isValid({rank}) ? {rank} : {NONE}",
    }
