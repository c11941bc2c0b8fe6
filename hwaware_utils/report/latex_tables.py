"""Tables in the PDF: column widths computed from the contents, so that no table leaves the page and no number is broken.

Works on the tables of the pages and of the notebooks alike, after Sphinx has read them, and only for the LaTeX builder.
"""

import re
from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from .tables import NOTHING

BREAK = "\u200b"  # book/latex/hwreport.sty turns it into a place where a line may break
MAX_ROWS = 60  # a longer table is for a machine to read
CUT = "The first {shown} of {total:,} rows. The others are in the HTML book and in the CSV files that its data page lists."
# Widths of Times' letters in em; the rest is taken as lower-case. The margin covers kerning and what is missing here.
WIDTHS = {
    **dict.fromkeys("ijlt.,:;'|!()[]/fI-", 0.32), **dict.fromkeys("mwMW%@—", 0.85), **dict.fromkeys("0123456789+=<>–", 0.53),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ", 0.68), " ": 0.25, BREAK: 0.0,
}  # fmt: skip
OTHER, MONO, HEAD, MARGIN = 0.48, 0.49, 1.2, 1.04
FOLDED = 20.0  # em; a text longer than this reads as well on two lines


@dataclass(frozen=True)
class Size:
    """A way to set a table: LaTeX's name of the type size, points of an em, of the line, and between two columns."""

    name: str
    em_pt: float
    line_pt: float
    gap_pt: float = 6.0
    landscape: bool = False


# A4 less the margins of hwreport.sty is 483 x 697 pt, of which Jupyter Book indents outputs by 20. Tried in this order.
UPRIGHT = (Size("footnotesize", 9, 460), Size("scriptsize", 8, 460))
SHORT, SMALL = 25, Size("tiny", 6, 460, 4.0)  # so many lines are set small before a page is turned for them
TURNED = (Size("scriptsize", 8, 670, landscape=True), Size("tiny", 6, 670, 4.0, landscape=True))  # fmt: skip


class PrintTables(SphinxPostTransform):
    """Gives each table its column widths, its type size and its places to break; cuts what is longer than MAX_ROWS."""

    default_priority = 450
    formats = ("latex",)

    def run(self, **_) -> None:
        for table in list(self.document.findall(nodes.table)):
            if len(list(table.findall(nodes.tgroup))) == 1:
                set_table(table)


def set_table(table: nodes.table) -> None:
    """Change `table` and put what LaTeX must know before and after it."""
    note = cut_rows(table)
    rows = [list(row.children) for row in table.findall(nodes.row)]
    allow_breaks(table)
    size, widths_pt = layout(*measure(rows), lines=len(rows))
    right = [all("text-right" in row[i]["classes"] for row in rows) for i in range(len(widths_pt))]
    columns = (rf">{{\raggedleft\arraybackslash}}p{{{w:.1f}pt}}" if r else rf">{{\raggedright\arraybackslash}}p{{{w:.1f}pt}}"
               for w, r in zip(widths_pt, right, strict=True))  # fmt: skip
    table["classes"] += ["longtable"]  # the only kind that goes over pages and repeats its head
    begin = rf"\begin{{hwtable}}{{\{size.name}}}{{{size.gap_pt / 2:.1f}pt}}"
    # \needspace would break inside longtable's own output routine
    before, after = (r"\begin{landscape}", r"\end{landscape}") if size.landscape else (r"\Needspace{8\baselineskip}", "")
    caption = caption_of(table)
    if caption is not None:
        caption.parent.insert(caption.parent.index(caption), raw(before))
    table.replace_self([
        raw(begin if caption is not None else before + begin),
        addnodes.tabular_col_spec(spec="@{}" + "".join(columns) + "@{}"), table, *note, raw(r"\end{hwtable}" + after),
    ])  # fmt: skip


def caption_of(table: nodes.table) -> nodes.paragraph | None:
    """The paragraph in bold before the table, which must not be left alone at the foot of a page."""
    place = table.parent.index(table)
    before = table.parent[place - 1] if place else None
    bold = isinstance(before, nodes.paragraph) and "".join(text.astext() for text in before.findall(nodes.strong))
    return before if bold and bold == before.astext() else None


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="latex")


def cut_rows(table: nodes.table) -> list[nodes.Node]:
    """Drop the rows after MAX_ROWS; the paragraph that says so, if there were any."""
    body = next(iter(table.findall(nodes.tbody)), None)
    if body is None:  # Markdown leaves it out where a table has no rows; longtable wants one
        head = next(iter(table.findall(nodes.row)))
        cells = [nodes.entry("", nodes.paragraph(text=NOTHING)) for _ in head]
        next(iter(table.findall(nodes.tgroup))).append(nodes.tbody("", nodes.row("", *cells)))
        return []
    total = len(body)
    if total <= MAX_ROWS:
        return []
    del body[MAX_ROWS:]
    return [nodes.paragraph("", "", nodes.emphasis(text=CUT.format(shown=MAX_ROWS, total=total)))]


def allow_breaks(table: nodes.table) -> None:
    for text in list(table.findall(nodes.Text)):
        text.parent.replace(text, nodes.Text(breakable(text.astext())))


def breakable(text: str) -> str:
    """`text` with a place to break after _ / = and inside what no column could hold, but never inside a number.

    >>> breakable("size_bytes 1,234.5 a/b").replace(BREAK, "|")
    'size_|bytes 1,234.5 a/|b'
    >>> breakable("f" * 30).count(BREAK)
    1
    """
    text = re.sub(r"([_/=@])(?=\w)|([a-z])(?=[A-Z])|(?<=[A-Za-z])([-.:,])(?=[A-Za-z])", rf"\g<0>{BREAK}", text)
    return re.sub(rf"[^\s{BREAK}]{{12}}(?=[^\s{BREAK}]{{12}})", rf"\g<0>{BREAK}", text)


def measure(rows: list[list[nodes.entry]]) -> tuple[list[float], list[float], list[float]]:
    """Per column, in em: the longest piece that does not break, the widest cell below the head, the widest cell."""
    longest, widest, whole = ([0.0] * len(rows[0]) for _ in range(3))
    for row in rows:
        head = isinstance(row[0].parent.parent, nodes.thead)  # set in a wider type, and may fold
        for i, cell in enumerate(row):
            mono = next(iter(cell.findall(nodes.literal)), None) is not None
            factor, text = HEAD if head else 1.0, cell.astext()
            longest[i] = max(longest[i], *(factor * width(piece, mono) for piece in re.split(rf"[\s{BREAK}]+", text)))
            whole[i] = max(whole[i], longest[i], factor * width(text, mono))
            widest[i] = max(widest[i], longest[i], 0.0 if head else width(text, mono))
    return longest, widest, whole


def width(text: str, mono: bool = False) -> float:
    """Width of `text` in em; `mono` if some of it is code.

    >>> width("1") == 0.53 * MARGIN
    True
    """
    return MARGIN * sum(max(MONO if mono and c != BREAK else 0.0, WIDTHS.get(c, OTHER)) for c in text)


def layout(longest: list[float], widest: list[float], whole: list[float], lines: int) -> tuple[Size, list[float]]:
    """The size that holds the columns of a table of so many lines, and their widths in points; the others as of `measure`.

    First choice is a size at which only long texts (over FOLDED em) fold, then one that holds the longest pieces.

    >>> size, widths = layout([5, 8], [10, 90], [10, 90], 3)
    >>> size.name, [round(w) for w in widths], round(sum(widths) + size.gap_pt)
    ('footnotesize', [90, 364], 460)
    """
    short = [min(w, max(FOLDED, low)) for low, w in zip(longest, widest, strict=True)]
    sizes = (*UPRIGHT, *([SMALL] if lines <= SHORT else []), *TURNED)
    fits = [size for size in UPRIGHT if sum(short) <= room_em(size, short)]
    fits += [size for size in sizes if sum(longest) <= room_em(size, longest)]
    size = (fits or TURNED[-1:])[0]
    room = room_em(size, longest)
    if sum(longest) > room:  # the columns give way alike, and LaTeX says where a word overflows
        return size, [w * room / sum(longest) * size.em_pt for w in longest]
    return size, [w * size.em_pt for w in fill(fill(longest, widest, room), whole, room)]


def room_em(size: Size, columns: list[float]) -> float:
    return (size.line_pt - size.gap_pt * (len(columns) - 1)) / size.em_pt


def fill(least: list[float], most: list[float], room: float) -> list[float]:
    """Widths between `least` and `most` that fill `room`: as in a browser, what has little to say need not fold.

    >>> fill([1, 1, 1], [2, 10, 30], 12)
    [2, 5.0, 5.0]
    """
    if sum(most) <= room:
        return most
    low, high = 0.0, max(most)
    for _ in range(40):  # the level at which the columns are cut off, by halving
        level = (low + high) / 2
        low, high = (
            (level, high) if sum(max(a, min(b, level)) for a, b in zip(least, most, strict=True)) <= room else (low, level)
        )
    return [max(a, b if b <= low else round(low, 6)) for a, b in zip(least, most, strict=True)]
