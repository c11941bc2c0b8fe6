"""The decision in the reader's browser: sliders, the feasible set, its front and the pick in one Vega-Lite chart."""

import altair as alt
import pandas as pd

from ..base.errors import UserError
from ..platforms.specs import load_platform
from .charts import INK
from .decision_rules import NAMES, UNITS, decide, parameters
from .encodings import colour, evidence_shape, points, tooltip

TOP = 128  # px above the plot, for the answer
AXES = {
    "ram_mb": "RAM (MB, log scale)",
    "energy_mj": "energy per inference (mJ, log scale)",
    "latency_ms": "latency (ms, log scale)",
}


def decision(rows: pd.DataFrame, platform: str, objective: str, latency_ms: float | None = None) -> alt.LayerChart:
    """Accuracy against what the objective minimises (latency for the others), on the platform that a list selects.

    `rows` from `decision_page.decision_rows`; the chart opens with `platform`, `objective` and the limit `latency_ms`.
    Pale marks break a limit, the line is the front of the others, the ring is the pick, or, dashed, the nearest miss.
    UserError for a platform that the rows lack.
    """
    if platform not in set(rows["platform"]):
        raise UserError(f"platform {platform!r} has no configuration here: give one of {', '.join(rows['platform'].unique())}.")
    base, shades = alt.Chart(), colour(rows, "precision")
    placed = base.encode(
        x=alt.X("x:Q", title=None, scale=alt.Scale(type="log", nice=False, padding=20)),
        y=alt.Y("accuracy:Q", title="accuracy (0-1)", scale=alt.Scale(zero=False, padding=16)),
    )
    kept = alt.when(alt.datum.feasible)
    bars = placed.mark_rule().encode(
        x="x_low:Q", x2="x_held:Q", stroke=shades["stroke"], opacity=kept.then(alt.value(0.6)).otherwise(alt.value(0.1))
    )
    line = placed.transform_filter("datum.on_front").mark_line(interpolate="step-after", strokeWidth=1, color=INK, opacity=0.6)
    held = [f"{name}_held" for name in NAMES if name != "accuracy"]
    marks = points(placed).encode(
        shape=evidence_shape("known"),
        tooltip=tooltip(rows, "variant", *NAMES, *held, "device_why"),
        opacity=kept.then(alt.value(0.95)).otherwise(alt.value(0.15)),
        **shades,
    )
    ring = placed.transform_filter("datum.told").mark_point(filled=False, size=420, strokeWidth=2, stroke=INK, opacity=1)
    ring = ring.encode(strokeDash=alt.when(alt.datum.picked).then(alt.value([1, 0])).otherwise(alt.value([3, 3])))
    told = base.transform_filter("datum.told")
    layers = alt.layer(bars, line, *_limit_lines(told), marks, ring, *_texts(told), data=rows)
    return (
        decide(layers)
        .add_params(*parameters(rows, platform, objective, latency_ms))
        .properties(description=_description(rows, platform, latency_ms))
    )


def _limit_lines(told: alt.Chart) -> list[alt.Chart]:
    """Dashed where the limits of the two axes stand; `scale` and no encoding, so that they do not stretch the axes."""
    look = {"strokeDash": [4, 3], "color": INK, "opacity": 0.8, "clip": True}
    upright = told.transform_filter("shown_limit !== null").mark_rule(**look)
    level = told.transform_filter("accuracy_limit !== null").mark_rule(**look)
    return [
        upright.encode(x=_at("scale('x', shown_limit)"), y=alt.value(0), y2=_at("height")),
        level.encode(x=alt.value(0), x2=_at("width"), y=_at("scale('y', accuracy_limit)")),
    ]


def _at(expression: str) -> dict:
    return alt.value(alt.expr(expression))


def _texts(told: alt.Chart) -> list[alt.Chart]:
    """The answer above the plot, the title of the axis below. Lines are short: a phone shows about 45 letters of them."""
    head = (
        "datum.picked ? datum.variant : datum.n_feasible > 0 ? 'Nothing to rank: the goal is unknown' "
        ": 'Nothing fits. Nearest miss: ' + datum.variant"
    )
    kept = "datum.n_feasible + ' of ' + datum.n + ' configurations keep every limit'"
    numbers = " + '\\n' + ".join([*map(_number, NAMES), kept])
    breaks = " + ".join([*map(_broken, NAMES), "datum.device_why"])
    body = f"datum.picked ? {numbers} : datum.n_feasible > 0 ? {kept} : {breaks}"
    limits = " + ' · ' + ".join(f"({name}_limit === null ? 'any {told}' : {name}_step_told)" for name, told in NAMES.items())
    axis = f"{{{', '.join(f'{name}: {title!r}' for name, title in AXES.items())}}}[shown]"
    left = {"align": "left", "color": INK, "baseline": "top", "lineBreak": "\n", "limit": 0}
    return [
        _text(told, head, alt.value(-TOP), **left, fontSize=15, fontWeight="bold").properties(name="answer"),
        _text(told, body, alt.value(22 - TOP), **left, fontSize=12, lineHeight=16).properties(name="reason"),
        _text(told, limits, alt.value(-18), **left, fontSize=11, opacity=0.8),
        _text(told, axis, _at("height + 24"), color=INK, fontSize=12, baseline="top", limit=0).encode(x=_at("width / 2")),
    ]


def _text(told: alt.Chart, expression: str, y: dict, **look) -> alt.Chart:
    return told.transform_calculate("text", expression).mark_text(**look).encode(text="text:N", x=alt.value(0), y=y)


def _number(name: str) -> str:
    form = ".4f" if name == "accuracy" else ".3~r"
    worst = "" if name == "accuracy" else f" + ', at worst ' + format(datum.{name}_held, '{form}')"
    known = f"isValid(datum.{name}) ? format(datum.{name}, '{form}') + '{UNITS[name]}'{worst} : 'unknown'"
    return f"'{NAMES[name]} ' + ({known}) + ' (' + datum.{name}_evidence + ')'"


def _broken(name: str) -> str:
    form = ".4f" if name == "accuracy" else ".4~r"
    value = f"isValid(datum.{name}_held) ? format(datum.{name}_held, '{form}') + '{UNITS[name]}' : 'unknown'"
    return f"(datum.{name}_over > 0 ? '{NAMES[name]} ' + ({value}) + ', limit ' + {name}_step_told + '\\n' : '')"


def _description(rows: pd.DataFrame, platform: str, latency_ms: float | None) -> str:
    own = rows[rows["platform"] == platform]
    limit = "no limit of the user's" if latency_ms is None else f"a latency limit of {latency_ms:g} ms"
    return (
        "Scatter chart of accuracy against cost for the configurations of a platform that a list selects, first the "
        f"{len(own)} on {load_platform(platform).title}, with {limit}. Sliders set limits on latency, RAM, energy and "
        "accuracy; the configuration that they pick, or the nearest miss, stands above the plot with its numbers."
    )
