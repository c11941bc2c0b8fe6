"""A reader's comfort on every page of the built book: axe-core, focus, weight, layout shift, paper - under a strict policy."""

import base64
import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from fontTools.ttLib import TTFont
from test_book import DESK, PHONE, browser, pages, settle  # noqa: F401

from hwaware_utils.report.pages import with_policy
from hwaware_utils.report.slim import slim_spec

book = pytest.mark.book
WEIGHT_BYTES = 2_000_000  # issue 7, before any compression
HARMLESS = "Detected faceted independent scales"  # said of any two layers in panels, be they of one table
SHIFT = 0.1  # Core Web Vitals call a cumulative layout shift of 0.1 good
OBSERVER = """window.hwShift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.hwShift += entry.value;
}).observe({type: 'layout-shift', buffered: true});"""
# preload: axe would ask for the style sheets again, which file:// refuses
AXE = """() => axe.run(document, {resultTypes: ['violations'], preload: false}).then(({violations}) => violations
  .filter(({impact}) => ['serious', 'critical'].includes(impact))
  .map(({id, nodes}) => `${id}: ${nodes.map(({target}) => target.join(' ')).slice(0, 3)}`))"""
ICONS = """() => [...document.querySelectorAll('i[class*="fa-"], a.download, div > .admonition-title')].map((icon) =>
  getComputedStyle(icon, icon.localName === 'p' ? '::after' : '::before').content)"""
FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  return {name: at.tagName + '.' + at.className, body: at === document.body, wide: box.width,
          seen: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none'};
}"""


@pytest.fixture(scope="module")
def found(browser, book_html) -> dict[str, dict]:  # noqa: F811
    """What was measured on every page, at desk and at phone width."""
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    return {name: look(browser, book_html / name, axe) for name in pages(book_html)}


def look(browser, path: Path, axe: str) -> dict:  # noqa: F811
    seen, files = {"said": [], "shift": {}}, set()
    for size, name in ((PHONE, "phone"), (DESK, "desk")):
        context = browser.new_context(viewport=size, reduced_motion="reduce")
        context.add_init_script(OBSERVER)
        page = context.new_page()
        page.on("console", lambda said: seen["said"].append(said.text) if complains(said) else None)
        page.on("pageerror", lambda error: seen["said"].append(str(error)))
        page.on("request", lambda request: files.add(unquote(urlparse(request.url).path)))
        page.goto(path.as_uri())
        settle(page)
        page.wait_for_timeout(200)
        seen["shift"][name] = page.evaluate("window.hwShift")
        if name == "desk":
            page.evaluate(axe)
            seen["axe"] = {theme: check(page, theme) for theme in ("light", "dark")}
        context.close()
    seen["bytes"] = sum(Path(file).stat().st_size for file in files if Path(file).is_file())
    return seen


def complains(said) -> bool:
    return said.type == "error" or (said.type == "warning" and HARMLESS not in said.text)


def check(page, theme: str) -> list[str]:
    """axe-core's serious and critical violations in this theme."""
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    page.wait_for_timeout(300)  # colours fade all the same
    return page.evaluate(AXE)


@book
def test_axe_finds_nothing_serious_in_light_or_dark(found):
    wrong = {(name, theme): told for name, seen in found.items() for theme, told in seen["axe"].items() if told}
    assert wrong == {}


@book
def test_no_page_weighs_more_than_two_megabytes(found):
    """All that the page loads by itself, byte by byte as it lies on the disk: `make serve` compresses nothing."""
    print("heaviest:", max((seen["bytes"], name) for name, seen in found.items()))
    assert {name: seen["bytes"] for name, seen in found.items() if seen["bytes"] > WEIGHT_BYTES} == {}


@book
def test_charts_do_not_push_the_text_about(found):
    shifts = {(name, size): shift for name, seen in found.items() for size, shift in seen["shift"].items()}
    print("worst shift:", max((shift, where) for where, shift in shifts.items()))
    assert {where: shift for where, shift in shifts.items() if shift >= SHIFT} == {}


@book
def test_no_page_breaks_its_own_policy_or_is_warned_by_vega(found, book_html):
    assert {name: seen["said"] for name, seen in found.items() if seen["said"]} == {}
    for name in found:
        text = (book_html / name).read_text(encoding="utf-8")
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
        assert "unsafe-eval" not in policy.replace("'wasm-unsafe-eval'", "") and "http" not in policy, name
        scripts = re.search(r"script-src ([^;]*);", policy)[1]
        assert "'unsafe-inline'" not in scripts and ("wasm" in scripts) == ("/demo/" in name), name


@book
def test_policy_stops_requests_to_other_hosts_and_scripts_of_others(browser, book_html):  # noqa: F811
    """The page asks, the browser refuses: by the policy, before any network."""
    page = browser.new_page()
    page.goto((book_html / "notebooks" / "01_baseline.html").as_uri())
    page.evaluate("""() => {
      window.hwBroken = [];
      document.addEventListener('securitypolicyviolation', (event) => window.hwBroken.push(event.effectiveDirective));
      fetch('https://example.org/').catch(() => {});
      new Image().src = 'https://example.org/a.png';
      const script = document.createElement('script');
      script.textContent = 'window.hwRan = true;';
      document.body.append(script);
      setTimeout(() => Function('window.hwRan = true')()); // by itself: what the test's own call compiles is exempt
    }""")
    page.wait_for_timeout(500)
    assert {"connect-src", "img-src", "script-src-elem", "script-src"} <= set(page.evaluate("window.hwBroken"))
    assert page.evaluate("window.hwRan") is None
    page.close()


@book
def test_tab_reaches_every_control_and_shows_where_it_is(browser, book_html):  # noqa: F811
    page = browser.new_page(viewport=DESK)
    page.goto((book_html / "notebooks" / "06d_decide.html").as_uri())
    settle(page)
    reached, dim = set(), set()
    for _ in range(250):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        if at["body"]:
            break
        reached.add(at["name"].split(".")[0])
        if at["wide"] > 0 and not at["seen"]:
            dim.add(at["name"])
        page.evaluate("document.activeElement.dataset.reached = ''")
    missed = """[...document.querySelectorAll('main input, main select, main summary, main button')].filter((control) =>
      control.checkVisibility({visibilityProperty: true}) && control.type !== 'checkbox' && !('reached' in control.dataset))
      .map((control) => control.outerHTML.slice(0, 120))"""
    assert {"A", "INPUT", "SELECT", "BUTTON"} <= reached
    assert (dim, page.evaluate(missed)) == (set(), [])
    page.close()


@book
def test_on_paper_a_dark_page_is_dark_on_white_and_no_table_is_cut(browser, book_html):  # noqa: F811
    context = browser.new_context(viewport={"width": 720, "height": 1000}, color_scheme="dark")  # A4 less its margins
    page = context.new_page()
    page.goto((book_html / "notebooks" / "04_platforms.html").as_uri())
    settle(page)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.hw-live svg text')).fill") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    cut = "[...document.querySelectorAll('main table')].filter(t => t.getBoundingClientRect().right > innerWidth + 1).length"
    assert page.evaluate(cut) == 0
    context.close()


@book
def test_every_icon_is_still_in_the_font_that_was_cut(browser, book_html):  # noqa: F811
    shown, page = set(), browser.new_page(viewport=DESK)
    for name in pages(book_html):
        page.goto((book_html / name).as_uri())
        shown |= set(page.evaluate(ICONS))
    page.close()
    assert "none" not in shown and len(shown) > 8
    fonts = [TTFont(path).getBestCmap() for path in (book_html / "_static").rglob("fa-*.ttf")]
    assert {sign for sign in shown if not any(ord(sign.strip('"')) in font for font in fonts)} == set()
    assert max(map(len, fonts)) < 200, "the font is whole"


@book
def test_every_picture_says_what_it_shows(book_html):
    silent = []
    for name in pages(book_html):
        text = (book_html / name).read_text(encoding="utf-8")
        for image in re.findall(r"<img\b[^>]*>", text):
            if not re.search(r'\balt="[^"]{10,}"', image) or re.search(r'alt="[^"]*\.(png|svg)"', image):
                silent.append((name, image[:120]))
    assert silent == []


def test_policy_allows_the_pages_own_scripts_by_their_hash_and_is_written_once():
    page = '<html><head><meta charset="utf-8"><script>let a = 1;</script></head><body onclick="go()"></body></html>'
    done = with_policy(page)
    for code in ("let a = 1;", "go()"):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" in done
    assert with_policy(done) == done and done.count("http-equiv") == 1
    assert "unsafe-eval" not in done and "'wasm-unsafe-eval'" in with_policy(done, wasm=True)


def test_slim_data_is_the_data_to_six_digits_of_the_columns_that_the_chart_names():
    row = {"x": 1 / 3, "n": 123456789, "name": "1.23456789", "a b": None, "flag": False, "nobody_asks": 1}
    asks = {"x": "x", "if": "datum.flag ? 1\n+datum['a b'] : datum.n", "choose": ["name"], "width": 0.123456789}
    assert json.loads(slim_spec({"datasets": {"d": [row]}, **asks})) == {
        "datasets": {"d": [{"x": 0.333333, "n": 123456789, "name": "1.23456789", "a b": None, "flag": False}]},
        **asks,
    }
    computed = {"datasets": {"d": [row]}, "x": "datum['x']", "y": "datum['rank_' + choose]"}
    assert set(json.loads(slim_spec(computed))["datasets"]["d"][0]) == set(row), "any column may be meant"
