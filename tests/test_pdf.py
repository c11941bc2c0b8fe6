"""The book in print, built once from the smoke profile: nothing leaves the page, nothing is missing from it."""

import json
import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from docutils import nodes

from hwaware_utils.base.errors import UserError
from hwaware_utils.report import latex, latex_tables
from hwaware_utils.report.charts import MIMETYPE

POPPLER = ("pdftotext", "pdfinfo", "pdffonts")


@pytest.fixture(scope="module")
def report(report_pdf) -> Path:
    """report.pdf; beside it pdf/_build/latex/report.log."""
    missing = [name for name in (*latex.PROGRAMS, *POPPLER) if shutil.which(name) is None]
    if missing:
        told = f"{missing[0]} is missing, the PDF was not built: install the Debian packages that apt.txt lists."
        pytest.fail(told, pytrace=False) if os.environ.get("CI") else pytest.skip(told)
    return report_pdf.result()


@pytest.fixture(scope="module")
def pages(report) -> list[str]:
    told = subprocess.run(["pdftotext", "-layout", report, "-"], capture_output=True, text=True, check=True).stdout
    return told.split("\f")[:-1]


@pytest.fixture(scope="module")
def log(report) -> str:
    return (report.parent / "pdf" / "_build" / "latex" / "report.log").read_text(encoding="utf-8", errors="replace")


def squeezed(text: str) -> str:
    """Without what a line break changes: spaces, hyphens, and the quotation marks that LaTeX makes typographic."""
    return re.sub(r"[\s\-‐–—'’‘\"“”`*_]", "", text)


@pytest.mark.book
def test_nothing_leaves_the_line(log):
    wide = [(float(points), where) for points, where in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\) (.*)", log)]
    assert [found for found in wide if found[0] > 5] == []


@pytest.mark.book
def test_nothing_leaves_the_page(log):
    high = [float(points) for points in re.findall(r"Overfull \\vbox \(([\d.]+)pt too high\) has occurred while \\output", log)]
    assert [points for points in high if points > 5] == []
    assert "Float too large for page" not in log


@pytest.mark.book
def test_no_character_is_missing_and_no_reference_is_undefined(log):
    assert set(re.findall(r"Missing character: There is no .*", log)) == set()
    assert set(re.findall(r"LaTeX Warning: .*undefined.*", log)) == set()


@pytest.mark.book
def test_no_page_is_empty_and_the_book_has_a_sensible_length(pages):
    assert 60 < len(pages) < 300
    bare = [number for number, text in enumerate(pages, 1) if len(squeezed(text)) < 40]
    assert [number for number in bare if number != 1] == []  # the title page is short


@pytest.mark.book
def test_every_caption_of_a_figure_is_printed(pages, report):
    text = squeezed(" ".join(pages))
    captions = []
    for path in sorted((report.parent / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        figures = (cell["metadata"].get("mystnb", {}).get("figure", {}) for cell in cells if cell.get("outputs"))
        captions += [figure["caption"] for figure in figures if "caption" in figure]
    assert len(captions) > 20
    # The beginning is enough; what stands before the first sign that Markdown could turn into something else
    starts = {squeezed(re.split(r"[{$\[<]", caption)[0])[:40] for caption in captions}
    assert [start for start in starts if start not in text] == []


@pytest.mark.book
def test_every_picture_carries_what_it_shows_in_words(report):
    told = set()
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", report.read_bytes(), re.DOTALL):
        try:
            content = zlib.decompressobj().decompress(stream)
        except zlib.error:
            continue  # a font or a picture that is packed otherwise
        told |= {bytes.fromhex(digits.decode()).decode("utf-16") for digits in re.findall(rb"/Alt ?<([0-9A-Fa-f]+)>", content)}
        begun, ended = len(re.findall(rb"\bBDC\b", content)), len(re.findall(rb"\bEMC\b", content))
        assert begun == ended, "a picture's text goes on after its page"
    charts = set()
    for path in sorted((report.parent / "notebooks").glob("*.ipynb")):
        outputs = (o for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] for o in cell.get("outputs", []))
        charts |= {o["data"][MIMETYPE]["description"] for o in outputs if MIMETYPE in o.get("data", {})}
    assert len(charts) > 20
    assert charts - told == set()


@pytest.mark.book
def test_every_font_is_in_the_file(report):
    told = subprocess.run(["pdffonts", report], capture_output=True, text=True, check=True).stdout.splitlines()[2:]
    assert told
    assert [line for line in told if not re.search(r"\byes\s+(yes|no)\s+(yes|no)\s+\d+\s+\d+$", line)] == []


def table(rows: list[list[str]], right: tuple[int, ...] = ()) -> nodes.table:
    """A table as MyST makes it of Markdown; the first row is its head."""

    def line(cells) -> nodes.row:
        made = [
            nodes.entry("", nodes.paragraph(text=text), classes=["text-right"] * (i in right)) for i, text in enumerate(cells)
        ]
        return nodes.row("", *made)

    head, body = nodes.thead("", line(rows[0])), nodes.tbody("", *map(line, rows[1:]))
    made = nodes.table("", nodes.tgroup("", *(nodes.colspec() for _ in rows[0]), head, body, cols=len(rows[0])))
    nodes.container("", made)
    return made


@pytest.mark.parametrize("columns", [1, 2, 5, 9, 14])
@pytest.mark.parametrize("letters", [1, 8, 40, 400])
@pytest.mark.parametrize("lines", [3, 60])
def test_a_table_of_words_is_never_wider_than_the_line(columns, letters, lines):
    text = latex_tables.breakable("word_" * (letters // 5) + "w" * (letters % 5))
    longest, widest, whole = latex_tables.measure([row.children for row in table([[text] * columns] * 3).findall(nodes.row)])
    size, widths_pt = latex_tables.layout(longest, widest, whole, lines)
    assert sum(widths_pt) + size.gap_pt * (columns - 1) <= size.line_pt + 0.01
    assert all(w >= low * size.em_pt - 0.01 for w, low in zip(widths_pt, longest, strict=True))


def test_a_long_table_says_how_much_of_it_is_printed():
    made = table([["name", "value"]] + [["a", "1"]] * 194)
    holder = made.parent
    latex_tables.set_table(made)
    assert len(list(holder.findall(nodes.row))) == latex_tables.MAX_ROWS + 1
    assert "The first 60 of 194 rows" in holder.astext()


def test_a_caption_stays_with_its_table():
    made = table([["name"], ["fp32"]])
    made.parent.insert(0, nodes.paragraph("", "", nodes.Text(""), nodes.strong(text="All formats")))
    caption = latex_tables.caption_of(made)
    assert caption.astext() == "All formats"
    latex_tables.set_table(made)
    before = caption.parent[caption.parent.index(caption) - 1]
    assert "Needspace" in before.astext()
    assert latex_tables.caption_of(table([["name"], ["fp32"]])) is None


def test_numbers_stand_to_the_right_and_are_never_broken():
    made = table([["name", "size_bytes"], ["fp32", "12,345,678.9"], ["int8", "-1.23e-05"]], right=(1,))
    holder = made.parent
    latex_tables.set_table(made)
    columns = next(node["spec"] for node in holder.findall() if node.tagname == "tabular_col_spec")
    assert re.fullmatch(r"@\{}>\{\\raggedright.*}p\{.*pt}>\{\\raggedleft.*}p\{.*pt}@\{}", columns)
    assert [latex_tables.breakable(text) for text in ("12,345,678.9", "-1.23e-05")] == ["12,345,678.9", "-1.23e-05"]


def test_missing_tex_is_one_sentence_with_the_line_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"latexmk .* cannot be found: run `apt-get install latexmk texlive-xetex .*`\.$"
    ) as told:
        latex.check_tex()
    assert "\n" not in str(told.value)


def test_a_missing_package_is_told_with_the_line_that_installs_it():
    told = "! LaTeX Error: File `titlesec.sty' not found.\n"
    assert latex.complaints(told)[-1].startswith("A part of TeX is missing: run `apt-get install ")


def test_the_date_is_that_of_the_last_run(tmp_path):
    for name, date in (("a", "2026-11-23 05:18"), ("b", "2026-11-22 23:59")):
        (tmp_path / f"{name}.ipynb").write_text(f"| date | {date} UTC |", encoding="utf-8")
    assert latex.run_date(sorted(tmp_path.glob("*.ipynb"))) == "1795411080"
    with pytest.raises(UserError, match="no notebook has a run card"):
        latex.run_date([])
