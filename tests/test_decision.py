"""The decision chart: it takes what the recommender takes, for any setting of its lists and sliders."""

import functools
import json
import os
import random
import re
import shutil

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert as vlc
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide import decision_page
from hwaware_utils.decide.methodology import OBJECTIVES, HardwareAwareDesignMethodology
from hwaware_utils.report import book, charts, figures
from hwaware_utils.report.decision_rules import NAMES

PLATFORMS = ["apple_m1", "arm_cortex_a78", "arm_cortex_m7", "x86_host"]
CONSTRAINTS = {column: constraint for constraint, column in decision_page.LIMITS.items()}
STORED = HardwareAwareDesignMethodology()
ROWS = decision_page.decision_rows(STORED, PLATFORMS)


@functools.cache
def rows_with_gaps() -> pd.DataFrame:
    return decision_page.decision_rows(with_gaps(), PLATFORMS)


@functools.cache
def with_gaps() -> HardwareAwareDesignMethodology:
    """The stored table with a tenth of its numbers unknown and some rows doubled under another name (ties)."""
    table, draw = STORED.configurations.copy(), np.random.default_rng(3)
    for column in ("accuracy", "latency_ms", "latency_ms_high", "ram_bytes_high", "ram_bytes", "energy_mj_high"):
        table.loc[draw.random(len(table)) < 0.1, column] = np.nan
    double = table.iloc[::5].assign(variant=lambda rows: "again-" + rows["variant"])
    return HardwareAwareDesignMethodology(pd.concat([table, double], ignore_index=True))


@functools.cache
def chart(gaps=False, platform="arm_cortex_m7", objective="accuracy", latency_ms=None) -> dict:
    rows = rows_with_gaps() if gaps else ROWS
    charts.enable()
    spec = figures.decision(rows, platform, objective, latency_ms).to_dict()
    alt.theme.enable("default")
    return json.loads(json.dumps(spec))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_limit_changes_the_order_that_the_page_carries(data):
    """The page's rule, done with pandas: of what keeps all limits the least rank. It must be the recommender's choice."""
    platform, objective = data.draw(st.sampled_from(PLATFORMS)), data.draw(st.sampled_from(list(OBJECTIVES)))
    own = ROWS[ROWS["platform"] == platform]
    names = data.draw(st.sets(st.sampled_from(list(NAMES))))
    # A value of the table itself is the hardest limit: it is kept by exactly that configuration
    limits = {name: float(data.draw(st.sampled_from(sorted(own[f"{name}_held"].dropna())))) for name in names}
    kept = own[own["device_broken"] == 0]
    for name, limit in limits.items():
        kept = kept[kept[f"{name}_held"] >= limit] if name == "accuracy" else kept[kept[f"{name}_held"] <= limit]
    answer = STORED.recommend_configuration(platform, objective, {CONSTRAINTS[name]: limit for name, limit in limits.items()})
    best = kept.sort_values(f"rank_{objective}")["variant"].iloc[0] if len(kept) else None
    assert best == answer.model


def test_the_chart_opens_with_the_recommenders_answer():
    spec = chart(False, "arm_cortex_m7", "accuracy", 200.0)
    svg = vlc.vegalite_to_svg(spec, vl_version=charts.VL)
    answer = STORED.recommend_configuration("arm_cortex_m7", "accuracy", {"latency_ms": 200})
    assert f">{answer.model}</text>" in svg
    assert f"latency {answer.latency_ms:.0f} ms, at worst {answer.choice['latency_ms_high']:.0f}" in svg
    assert f"{1 + len(answer.runners_up)} of {len(answer.candidates)} configurations keep every limit" in svg
    assert "NaN" not in svg
    nothing = vlc.vegalite_to_svg(chart(False, "arm_cortex_m7", "energy", 0.5), vl_version=charts.VL)
    miss = STORED.recommend_configuration("arm_cortex_m7", "energy", {"latency_ms": 0.5}).nearest_miss["variant"]
    assert f"Nothing fits. Nearest miss: {miss}" in nothing
    assert re.search(r"latency [\d.]+ ms, limit 0\.5 ms", nothing)


def test_each_slider_ends_in_no_limit_and_lists_what_a_user_would_type():
    params = {param["name"]: param for param in chart()["params"]}
    for name in NAMES:
        steps = json.loads(params[f"{name}_limit"]["expr"].split("][")[0] + "]")
        assert steps.index(None) == params[f"{name}_step"]["value"]
        assert params[f"{name}_step"]["bind"]["max"] == len(steps) - 1
        numbers, held = [step for step in steps if step is not None], ROWS[f"{name}_held"]
        assert numbers == sorted(numbers)
        assert (held.min() >= numbers[0]) if name == "accuracy" else (numbers[0] < held.min() <= held.max() <= numbers[-1])
    assert [goal["name"] for goal in params.values() if goal.get("bind", {}).get("input") == "select"] == [
        "platform",
        "objective",
    ]
    assert set(params["objective"]["bind"]["options"]) == set(OBJECTIVES)


def test_room_is_reserved_for_lists_and_sliders():
    assert book.count_inputs(chart()) == 6
    assert (
        book.count_inputs({"params": [{"name": "pick", "bind": "legend", "select": "point"}, {"name": "x", "expr": "1"}]}) == 0
    )
    assert f"height: {book.INPUT_PX}px" in (ROOT / "book" / "_static" / "report.css").read_text()


def test_unknown_platform_is_told_in_one_sentence():
    with pytest.raises(UserError, match="'toaster' has no configuration here: give one of apple_m1"):
        figures.decision(ROWS, "toaster", "accuracy")


def test_paper_table_holds_what_the_recommender_says_at_each_of_its_limits():
    table = decision_page.decision_table(STORED, PLATFORMS, ("accuracy",))
    assert set(table["platform"]) == set(PLATFORMS)
    for row in table.itertuples():
        answer = STORED.recommend_configuration(row.platform, row.objective, {"latency_ms": row.limit_ms})
        assert answer.model == row.variant
        assert row.latency_ms_high <= row.limit_ms


# What follows looks at the chart in a browser.

SET = """async ([platform, objective, steps]) => {
  const view = document.querySelector('.hw-chart')._view;
  view.signal('platform', platform).signal('objective', objective);
  for (const [name, step] of Object.entries(steps)) view.signal(name + '_step', step);
  await view.runAsync();
  const texts = name => [...document.querySelectorAll(`.${name}_marks text`)].flatMap(
    text => text.children.length ? [...text.children].map(line => line.textContent) : [text.textContent]);
  const limits = Object.fromEntries(Object.keys(steps).map(name => [name, view.signal(name + '_limit')]));
  return {limits, answer: texts('answer'), reason: texts('reason')};
}"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        told = "Chromium is missing, the decision chart was not operated: install the Debian packages that apt.txt lists."
        pytest.fail(told, pytrace=False) if os.environ.get("CI") else pytest.skip(told)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """Opens the chart of some rows as a page of its own, with the book's script and style."""
    folder = tmp_path_factory.mktemp("decision")
    for name in ("charts.js", "report.css"):
        shutil.copy(ROOT / "book" / "_static" / name, folder)
    (folder / "bundle.js").write_text(f"(() => {{{vlc.javascript_bundle(vl_version=charts.VL)}}})();", encoding="utf-8")

    def open_page(gaps=False, width=900, scheme="light"):
        head = '<meta charset="utf-8"><link rel="stylesheet" href="report.css"><script src="bundle.js"></script>'
        theme = "<style>:root {color-scheme: light dark} body {margin: 16px; color: CanvasText; background: Canvas}</style>"
        body = f'{book.chart_html(chart(gaps, "arm_cortex_m7", "accuracy", 200.0))}<p id="after">after</p>'
        text = f'<!doctype html><html lang="en"><title>t</title>{head}{theme}{body}<script src="charts.js"></script></html>'
        (folder / "page.html").write_text(text, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto((folder / "page.html").as_uri())
        page.wait_for_function("document.querySelector('.hw-chart').dataset.live === 'true'", timeout=60_000)
        return page

    return open_page


@pytest.mark.book
@pytest.mark.parametrize("source", ["stored", "gaps"])
def test_browser_picks_what_the_recommender_picks(opened, source):
    gaps = source == "gaps"
    methodology, page, draw = with_gaps() if gaps else STORED, opened(gaps), random.Random(5)
    most = {
        param["name"]: param["bind"]["max"]
        for param in chart(gaps, "arm_cortex_m7", "accuracy", 200.0)["params"]
        if param["name"].endswith("_step")
    }
    seen = {"picks": set(), "misses": set()}
    for _ in range(40):
        platform, objective = draw.choice(PLATFORMS), draw.choice(list(OBJECTIVES))
        # Most sliders loose: else nothing would ever fit
        steps = {
            name: draw.randint(0, most[f"{name}_step"])
            if draw.random() < 0.45
            else (0 if name == "accuracy" else most[f"{name}_step"])
            for name in NAMES
        }
        shown = page.evaluate(SET, [platform, objective, steps])
        limits = {CONSTRAINTS[name]: limit for name, limit in shown["limits"].items() if limit is not None}
        answer = methodology.recommend_configuration(platform, objective, limits)
        kept = int(answer.assessment.keeps_all.sum())
        if answer.choice:
            assert shown["answer"] == [answer.model], (platform, objective, limits)
            assert shown["reason"][-1] == f"{kept} of {len(answer.candidates)} configurations keep every limit"
            seen["picks"].add(answer.model)
        elif kept:
            assert shown["answer"] == ["Nothing to rank: the goal is unknown"]
        else:
            miss = answer.nearest_miss["variant"]
            assert shown["answer"] == [f"Nothing fits. Nearest miss: {miss}"], (platform, objective, limits)
            broken = answer.rejections[answer.rejections["variant"] == miss]
            assert len([line for line in shown["reason"] if line]) == len(broken)
            seen["misses"].add(miss)
    page.close()
    assert len(seen["picks"]) >= 4, "hardly anything was compared"
    assert seen["misses"], "no setting was impossible"


@pytest.mark.book
def test_sliders_work_from_the_keyboard_and_say_what_they_mean(opened):
    page = opened()
    slider = page.get_by_label("latency at most")
    assert slider.get_attribute("aria-valuetext") == "200 ms"
    before = page.locator(".answer_marks text").text_content()
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('.hw-said').textContent.includes('latency')", timeout=10_000)
    told = slider.get_attribute("aria-valuetext")
    assert re.fullmatch(r"[\d.]+ ms", told)
    assert told != "200 ms"
    assert page.locator("input[name=latency_ms_step] + span").text_content() == told
    after = page.locator(".answer_marks text").text_content()
    assert after != before
    assert after in page.locator(".hw-said").text_content()
    page.get_by_label("best for").select_option("memory")
    page.wait_for_function("document.querySelector('.hw-said').textContent.length > 0")
    assert page.get_by_text("RAM (MB, log scale)").count() == 1
    page.close()


@pytest.mark.book
def test_a_phone_shows_it_whole_and_what_follows_does_not_jump(opened):
    for width in (900, 390):
        page = opened(False, width, "dark")
        box = page.locator(".hw-chart").bounding_box()
        reserved = int(re.search(r"--h:(\d+)px", page.locator(".hw-chart").get_attribute("style"))[1])
        assert abs(box["height"] - reserved) <= 8, (width, box["height"], reserved)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        scale = page.evaluate(
            "(svg => svg.getBoundingClientRect().width / svg.getAttribute('width'))(document.querySelector('svg.marks'))"
        )
        assert scale > 0.75
        for slider in page.locator("input[type=range]").all():
            assert slider.bounding_box()["width"] >= 100
        if shots := os.environ.get("HWAWARE_SHOTS"):
            page.screenshot(path=f"{shots}/decision-{width}.png", full_page=True)
        page.close()


@pytest.mark.book
def test_a_turned_phone_keeps_the_settings(opened):
    page = opened()
    page.evaluate(SET, ["apple_m1", "energy", {"latency_ms": 3}])
    page.set_viewport_size({"width": 500, "height": 900})
    page.wait_for_function("document.querySelector('.hw-chart')._room < 500", timeout=20_000)
    kept = page.evaluate(
        "['platform', 'objective', 'latency_ms_step'].map(name => document.querySelector('.hw-chart')._view.signal(name))"
    )
    assert kept == ["apple_m1", "energy", 3]
    assert page.locator("select[name=platform]").input_value() == "apple_m1"
    page.close()
