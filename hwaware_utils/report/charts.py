"""One Altair renderer whose outputs are live everywhere without a network, and the look of every chart.

Each output carries its Vega-Lite JSON (JupyterLab, VS Code and the book draw it live) and an SVG for viewers without
JavaScript. Both are the same on every run. Text and lines are `currentColor`, so a chart follows light, dark and print.
"""

import altair as alt
import vl_convert as vlc

# Okabe and Ito's eight colours (https://jfly.uni-koeln.de/color/, 2008) that any kind of colour vision tells apart. Black
# would vanish in dark mode and is grey here; yellow, the weakest on white, comes last.
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999", "#F0E442"]

VL = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
# JupyterLab 4.6 draws Vega-Lite 5 and nothing newer; Altair 6 writes Vega-Lite 6, which reads the same here.
# Altair 6's own "mimetype" renderer cannot be used: nbformat refuses its "...v6.json".
MIMETYPE = "application/vnd.vegalite.v5+json"
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

INK = "currentColor"
WIDTH, HEIGHT = 540, 300  # px of the plot; with its axis it fills the text column
CONFIG = {
    "background": "transparent",
    "font": "Liberation Sans, Arial, sans-serif",  # vl-convert carries Liberation Sans; Arial has the same widths
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": INK,
        "domainOpacity": 0.5,
        "tickColor": INK,
        "tickOpacity": 0.5,
        "gridColor": INK,
        "gridOpacity": 0.13,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 190,
        "labelSeparation": 6,
    },
    "legend": {
        "orient": "bottom",
        "columns": 3,
        "symbolOpacity": 1,
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "layout": {"bottom": {"direction": "vertical", "anchor": "start"}},
    },
    "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12},
    "text": {"color": INK, "fontSize": 11},
    "rule": {"color": INK},
    # Sizes stand here and not on the charts: charts.js narrows them for a phone in this one place.
    "view": {"stroke": None, "continuousWidth": WIDTH, "discreteWidth": WIDTH, "continuousHeight": HEIGHT},
    "range": {"category": PALETTE},
}


def to_svg(spec: dict) -> str:
    """The chart as it stands in a viewer without JavaScript."""
    return vlc.vegalite_to_svg(spec, vl_version=VL)


def _renderer(spec: dict, **_) -> dict:
    spec = {**spec, "$schema": SCHEMA}
    return {MIMETYPE: spec, "image/svg+xml": to_svg(spec), "text/plain": spec.get("description", "<chart>")}


def enable() -> None:
    """Make every chart of this session look and render as in the book. Called once, in a notebook's set-up cell."""
    alt.renderers.register("report", _renderer)
    alt.renderers.enable("report")
    alt.theme.register("report", enable=True)(lambda: alt.theme.ThemeConfig(config=CONFIG))
