"""Charts in fewer bytes that look the same: a page carries each twice, as Vega-Lite JSON and as a still SVG."""

import json
import re

DIGITS = 6  # significant, of a number in a chart's data: more than a tooltip shows or a pixel resolves
# What the still does not need: it stands inside an element with role="img" and a label, it answers to no pointer, and
# these values are SVG's own defaults.
NEEDLESS = re.compile(
    r' (?:aria-[a-z]+|role|pointer-events)="[^"]*"'
    r'| (?:opacity|fill-opacity|stroke-opacity|stroke-width)="1"| font-weight="normal"'
)
# Vega draws a box that nobody sees around each part of a chart, and classes for scripts that are not here
UNSEEN = re.compile(r'<path class="(?:foreground|background)" d="[^"]*"(?: display="none")?/>| class="mark-[^"]*"')
FONT = re.compile(r' font-family="([^"]*)"')
# An expression that puts a column's name together, as datum['rank_' + by]: any column may be meant
COMPUTED = re.compile(r"\bdatum\[(?!'[^']*'\]|\\\"[^\"]*\\\"\])")
NUMBER = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
GEOMETRY = re.compile(r' (?:d|transform|x|y|x2|y2)="(?![^"]*scale)[^"]*"')  # a factor needs all its digits


def slim_spec(spec: dict) -> str:
    """The chart's JSON without spaces, with the columns that it names and at most `DIGITS` digits a number of its data.

    >>> slim_spec({"datasets": {"d": [{"ms": 0.12345678, "n": 1234567, "m": 1}]}, "x": "ms", "y": "datum.n > 0"})
    '{"datasets":{"d":[{"ms":0.123457,"n":1234567}]},"x":"ms","y":"datum.n > 0"}'
    """
    if "datasets" in spec:
        rest = {**spec, "datasets": None}
        words = None if COMPUTED.search(json.dumps(rest)) else _words(rest)
        spec = {**spec, "datasets": {name: [_slim_row(row, words) for row in rows] for name, rows in spec["datasets"].items()}}
    return json.dumps(spec, separators=(",", ":"))


def _words(value) -> set[str]:
    if isinstance(value, dict):
        return _words([*value.keys(), *value.values()])
    if isinstance(value, list):
        return set().union(*map(_words, value))
    return set(re.findall(r"\w+", value)) if isinstance(value, str) else set()


def _slim_row(row, words: set[str] | None):
    if words is not None and isinstance(row, dict):
        # A column may stand in an expression or in a list to choose from: it is named wherever its name is a word
        row = {name: part for name, part in row.items() if _words(name) <= words}
    return _rounded(row)


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) and value else value


def slim_svg(svg: str) -> str:
    """The still SVG with coordinates to a tenth of a pixel, its commonest font named once, and nothing `NEEDLESS`.

    >>> slim_svg('<svg width="9" role="img"><g opacity="1"><path d="M0.123,4.56789L7,8" fill="#0072B2"/></g></svg>')
    '<svg width="9"><g><path d="M0.1,4.6L7,8" fill="#0072B2"/></g></svg>'
    """
    svg = UNSEEN.sub("", NEEDLESS.sub("", svg))
    svg = GEOMETRY.sub(lambda found: NUMBER.sub(lambda number: f"{float(number[0]):.1f}".replace("-0.0", "0"), found[0]), svg)
    fonts = FONT.findall(svg)
    if fonts:
        common = f' font-family="{max(set(fonts), key=fonts.count)}"'
        svg = svg.replace(common, "").replace("<svg", f"<svg{common}", 1)
    return svg
