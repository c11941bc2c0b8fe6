"""The built book as a reader meets it: opened from disk in headless Chromium, on a desk, on a phone and in the dark."""

import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pandas as pd
import pytest
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.book

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

CHARTS = """[...document.querySelectorAll('.hw-chart')].map(box => {
  const svg = box.querySelector('.hw-live svg.marks');
  return {
    marks: svg ? svg.querySelectorAll('.mark-symbol path, .mark-rect path, .mark-line path').length : 0,
    label: (svg && svg.getAttribute('aria-label')) || '',
    caption: box.closest('figure')?.querySelector('figcaption')?.textContent.trim() || '',
    width: svg ? svg.getBoundingClientRect().width : 0,
    scale: svg ? svg.getBoundingClientRect().width / Number(svg.getAttribute('width')) : 0,
  };
})"""
ALIVE = "[...document.querySelectorAll('.hw-chart')].every(box => box.dataset.live === 'true')"


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        told = "Chromium is missing, the built book was not looked at: install the Debian packages that apt.txt lists."
        # CI promises to look; elsewhere a missing tool is a skip that says so, never a pass.
        pytest.fail(told, pytrace=False) if os.environ.get("CI") else pytest.skip(told)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def visits(browser, book_html) -> dict[str, dict]:
    """Every page opened once on a desk and once on a phone, with all that the browser had to say about it."""
    return {name: visit(browser, book_html / name) for name in pages(book_html)}


def pages(folder: Path) -> list[str]:
    """All pages but the redirect at the root."""
    found = (path.relative_to(folder) for path in folder.rglob("*.html"))
    return sorted(str(path) for path in found if path.parts[0] != "_static" and str(path) != "index.html")


def visit(browser, path: Path) -> dict:
    seen = {"requests": [], "complaints": []}
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.on("request", lambda request: seen["requests"].append(request.url))
    page.on("requestfailed", lambda request: seen["complaints"].append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: seen["complaints"].append(str(error)))
    page.on("console", lambda said: seen["complaints"].append(said.text) if said.type == "error" else None)
    page.goto(path.as_uri())
    for size, name in ((DESK, "desk"), (PHONE, "phone")):
        page.set_viewport_size(size)
        page.wait_for_timeout(400 if name == "phone" else 0)  # the charts wait for the end of the resizing
        settle(page)
        seen[name] = {"charts": page.evaluate(CHARTS), "width": page.evaluate("document.documentElement.scrollWidth")}
    seen["links"] = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    context.close()
    return seen


def settle(page) -> None:
    """Wait until all charts are drawn; those that never are show up as charts without marks.

    Asked again and again: Playwright's own waiting evaluates text in the page, which the page's policy forbids.
    """
    for _ in range(150):
        if page.evaluate(ALIVE):
            return
        page.wait_for_timeout(100)


def test_book_asks_no_network(visits):
    local = ("file:", "data:", "blob:")
    assert {url for seen in visits.values() for url in seen["requests"] if not url.startswith(local)} == set()


def test_book_makes_the_browser_complain_about_nothing(visits):
    assert {name: seen["complaints"] for name, seen in visits.items() if seen["complaints"]} == {}


def test_every_chapter_has_a_live_chart(visits, book_html):
    """A chart is what Vega has drawn: the still picture that the page brings along does not count."""
    chapters = {name: seen["desk"]["charts"] for name, seen in visits.items() if name.startswith("notebooks")}
    assert sum(map(len, chapters.values())) >= 5
    for name, found in chapters.items():
        written = (book_html / name).read_text(encoding="utf-8").count('class="hw-chart"')
        assert len(found) == written, name
        assert [chart for chart in found if chart["marks"] == 0] == [], name


def test_every_chart_has_a_label_and_a_caption(visits):
    for name, seen in visits.items():
        for chart in seen["desk"]["charts"]:
            assert len(chart["label"]) > 20, f"{name}: {chart}"
            assert re.match(r"Fig\. \d+(\.\d+)? \S", chart["caption"]), f"{name}: {chart}"


def test_nothing_scrolls_sideways_on_a_phone(visits):
    assert {name: seen["phone"]["width"] for name, seen in visits.items() if seen["phone"]["width"] > PHONE["width"]} == {}


def test_charts_on_a_phone_are_narrower_and_still_readable(visits):
    """Redrawn for the width, not shrunk to it: 12 px letters stay above 9 px."""
    for name, seen in visits.items():
        for chart in seen["phone"]["charts"]:
            assert 0 < chart["width"] <= PHONE["width"], f"{name}: {chart}"
            assert chart["scale"] > 0.75, f"{name}: {chart}"


def test_every_link_into_the_book_leads_somewhere(visits):
    dead = set()
    for name, seen in visits.items():
        for link in set(seen["links"]):
            address, anchor = urldefrag(link)
            target = Path(unquote(urlparse(address).path))
            if not address.startswith("file:"):
                continue
            here = target.is_file()
            if here and anchor and target.suffix == ".html":
                here = f'id="{unquote(anchor)}"' in target.read_text(encoding="utf-8")
            if not here:
                dead.add((name, link.rsplit("/html/", 1)[-1]))
    assert dead == set()


def test_no_name_is_taken_for_a_web_site(book_html):
    """STM32Cube.AI looks like one to Markdown."""
    found = {
        name: re.findall(r'href="http://([^"]*)"', (book_html / name).read_text(encoding="utf-8")) for name in pages(book_html)
    }
    assert {name: links for name, links in found.items() if links} == {}


def test_no_number_of_the_reference_is_missing(book_html):
    """A profile that leaves a platform out shows dashes in its sentences; the reference leaves none out."""
    dash = re.compile(r'class="pasted-text"[^>]*>\s*–\s*<')
    assert [name for name in pages(book_html) if dash.search((book_html / name).read_text("utf-8"))] == []
    assert dash.search('<span class="pasted-text">–</span>')


def test_every_table_can_be_downloaded(visits):
    links = [unquote(urlparse(link).path) for link in visits["book/data.html"]["links"] if link.endswith(".csv")]
    assert {"variants.csv", "latency.csv"} <= {Path(link).name for link in links}
    for link in links:
        assert not pd.read_csv(link).columns.empty


def test_search_finds_a_word(browser, book_html):
    page = browser.new_page()
    page.goto((book_html / "search.html").as_uri())
    box = page.locator("form.bd-search input[name=q]:visible, input[name=q]:visible").first
    box.fill("accuracy")
    box.press("Enter")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    assert page.locator("#search-results li a").count() >= 2
    page.close()


def test_dark_mode_turns_the_page_and_its_charts(browser, book_html):
    context = browser.new_context(viewport=DESK, color_scheme="light")
    page = context.new_page()
    page.goto((book_html / "notebooks" / "01_baseline.html").as_uri())
    settle(page)
    ink = "getComputedStyle(document.querySelector('.hw-live svg text')).fill"
    light, switch = page.evaluate(ink), page.locator(".theme-switch-button:visible").first
    for _ in range(3):  # the button goes round light, dark and the system's choice
        switch.click()
        if page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(ink) != light
    context.close()


def test_charts_can_be_seen_without_javascript(browser, book_html):
    context = browser.new_context(viewport=DESK, java_script_enabled=False)
    page = context.new_page()
    page.goto((book_html / "notebooks" / "01_baseline.html").as_uri())
    still = page.locator(".hw-chart .hw-still svg").first
    assert still.is_visible()
    assert still.bounding_box()["width"] > 300
    context.close()
