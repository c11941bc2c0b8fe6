"""The figures of the fronts: drawn, told in words, linked, and the same platform everywhere."""

import json
import re

import altair as alt
import pandas as pd
import pytest

from hwaware_utils.base.evidence import EVIDENCE
from hwaware_utils.report import charts, figures

TABLE = pd.DataFrame(
    {
        "variant": ["big-fp32", "big-int8_ptq"] * 2, "precision": ["fp32", "int8_ptq"] * 2,
        "platform": ["phone", "phone", "mcu", "mcu"],
        "accuracy": [0.92, 0.91, 0.92, 0.91], "latency_ms": [3.0, 1.0, 30.0, 40.0], "latency_ms_low": [2.0, 0.8, 25.0, 30.0],
        "latency_ms_high": [4.0, 1.5, 35.0, 50.0], "energy_mj": [9.0, 3.0, 5.0, 7.0], "energy_mj_low": 1.0,
        "energy_mj_high": 10.0,
        "size_bytes": [8192, 2048] * 2, "latency_ms_evidence": "measured", "size_bytes_evidence": "measured",
        "energy_mj_evidence": "modelled", "evidence": "modelled", "comparable": True, "dominated_by": "",
        "on_front": [True, True, True, True], "on_latency_front": [True, True, True, False], "on_size_front": True,
        "on_energy_front": [True, True, True, False], "on_front_probability": [0.95, 0.4, 1.0, 0.2],
        "on_front_probability_low": [0.9, 0.3, 1.0, 0.0], "on_front_probability_high": 1.0,
        "on_latency_front_probability": [0.9, 0.8, 1.0, 0.1], "on_size_front_probability": 1.0,
        "on_energy_front_probability": [0.9, 0.8, 1.0, 0.1], "latency_dominated_by": ["", "", "", "big-fp32"],
        "size_dominated_by": "", "energy_dominated_by": ["", "", "", "big-fp32"], "sha256": "not for the page",
    }
)  # fmt: skip
LINKED, PROBABILITY = figures.linked_fronts(TABLE).to_dict(), figures.front_probability(TABLE).to_dict()


@pytest.mark.parametrize("spec", [LINKED, PROBABILITY], ids=["linked", "probability"])
def test_chart_shows_the_first_platform_and_lists_both(spec):
    charts.enable()
    svg = charts.to_svg(spec | {"config": charts.CONFIG, "$schema": charts.SCHEMA})
    alt.theme.enable("default")
    assert "NaN" not in svg
    assert "mcu" not in re.sub(r'aria-label="[^"]*"', "", svg), "the still picture shows one platform"
    (platform,) = [param for param in spec["params"] if param["name"] == "platform"]
    assert platform["value"] == "phone"
    assert platform["bind"]["options"] == ["phone", "mcu"]
    assert all(f">{kind}</text>" in svg for kind in EVIDENCE)
    assert "not for the page" not in json.dumps(spec)


def test_a_click_reaches_all_three_panels():
    (click,) = [param for param in LINKED["params"] if param["name"] == "configuration"]
    named = [layer["name"] for panel in LINKED["vconcat"] for layer in panel["layer"] if "name" in layer]
    assert click["views"] == named
    assert len(named) == 3
    assert click["select"]["fields"] == ["variant"]
    marks = [panel["layer"][-1] for panel in LINKED["vconcat"]]
    assert [mark["name"] for mark in marks] == named, "something lies on top of the marks and catches their clicks"
    strengths = [layer["encoding"]["opacity"]["condition"] for layer in marks]
    assert [strength["field"] for strength in strengths] == [f"on_{x}_front_probability" for x in ("latency", "size", "energy")]
    assert all(strength["param"] == "configuration" for strength in strengths)


def test_every_layer_shows_the_chosen_platform_only():
    layers = [layer for panel in LINKED["vconcat"] for layer in panel["layer"]] + PROBABILITY["layer"]
    for layer in layers:
        assert layer["transform"][0] == {"filter": "datum.platform == platform"}


def test_descriptions_state_the_finding():
    assert "against latency, 2 on phone, 1 on mcu; against size, 2 on phone, 2 on mcu" in LINKED["description"]
    assert "At least 0.9: on phone big-fp32; on mcu big-fp32." in PROBABILITY["description"]


def test_most_probable_comes_first():
    (data,) = PROBABILITY["datasets"].values()
    shown = [row["on_front_probability"] for row in data]
    assert shown == sorted(shown, reverse=True)
    assert all(layer["encoding"]["y"]["sort"] is None for layer in PROBABILITY["layer"])
