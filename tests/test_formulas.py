"""Formulas are MathML made when the book is built: words stay words, and what cannot be set is not left out silently."""

import re

import pytest
from docutils.utils.math import MathError
from test_book import PHONE, browser, pages  # noqa: F401

from hwaware_utils.report.formulas import mathml


def test_a_formula_becomes_mathml_that_a_screen_reader_can_say():
    told = mathml(r"t \ge \sum_i \frac{\mathrm{bytes}_i}{\text{rate at best}}", block=True)
    assert told.startswith('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') and "\n" not in told
    assert "<mi>bytes</mi>" in told and "<mtext>rate at best</mtext>" in told  # not b, y, t, e, s


def test_what_is_no_formula_is_refused():
    with pytest.raises(MathError):
        mathml(r"\nosuchsign x")


@pytest.mark.book
def test_formulas_of_the_book_are_drawn_without_any_script(browser, book_html):  # noqa: F811
    found = {name: (book_html / name).read_text(encoding="utf-8") for name in pages(book_html)}
    assert any("<math" in text for text in found.values())
    assert not [name for name, text in found.items() if re.search(r"<script\b[^>]*mathjax", text, re.IGNORECASE)]
    assert not [name for name, text in found.items() if re.search(r'class="[^"]*\bmath\b', text)], "MathJax is wanted again"
    page = browser.new_context(viewport=PHONE, java_script_enabled=False).new_page()
    for name in (name for name, text in found.items() if "<math" in text):
        page.goto((book_html / name).as_uri())
        for formula in page.locator("math:visible").all():
            box = formula.bounding_box()
            assert box["width"] > 5 and box["height"] > 5, (name, formula.inner_html())
        for fraction in page.locator("math mfrac:visible").all():
            above, below = fraction.locator("> *").nth(0).bounding_box(), fraction.locator("> *").nth(1).bounding_box()
            assert above["y"] + above["height"] <= below["y"] + 2, "set in a line, as by a browser that knows no MathML"
    page.context.close()
