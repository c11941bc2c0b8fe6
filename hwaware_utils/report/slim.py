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
FONT = re.compile(r' font-family="([^"]*)"')
NUMBER = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
GEOMETRY = re.compile(r' (?:d|transform|x|y|x2|y2)="(?![^"]*scale)[^"]*"')  # a factor needs all its digits


def slim_spec(spec: dict) -> str:
    """The chart's JSON without spaces and with at most `DIGITS` digits a number of its data.

    >>> slim_spec({"datasets": {"d": [{"ms": 0.12345678, "n": 1234567}]}})
    '{"datasets":{"d":[{"ms":0.123457,"n":1234567}]}}'
    """
    rounded = {**spec, "datasets": _rounded(spec["datasets"])} if "datasets" in spec else spec
    return json.dumps(rounded, separators=(",", ":"))


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
    svg = NEEDLESS.sub("", svg)
    svg = GEOMETRY.sub(lambda found: NUMBER.sub(lambda number: f"{float(number[0]):.1f}".replace("-0.0", "0"), found[0]), svg)
    fonts = FONT.findall(svg)
    if fonts:
        common = f' font-family="{max(set(fonts), key=fonts.count)}"'
        svg = svg.replace(common, "").replace("<svg", f"<svg{common}", 1)
    return svg
