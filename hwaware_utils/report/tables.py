"""Tables as the book shows them: HTML that scrolls sideways on a phone, Markdown that LaTeX sets as a real table."""

import math
from html import escape
from numbers import Integral, Real

import pandas as pd

NOTHING = "–"  # a number that does not exist, as opposed to 0


def show_table(frame: pd.DataFrame, digits: dict[str, int] | int | None = None, caption: str | None = None) -> "Table":
    """Format `frame` by the units that end its column names; `evidence` comes last.

    `digits` sets the significant digits of all float columns or, as {column: digits}, of some.
    """
    frame = frame[[name for name in frame if name != "evidence"] + [name for name in frame if name == "evidence"]]
    cells = frame.copy().astype(object)
    for name in frame:
        wanted = digits.get(name) if isinstance(digits, dict) else digits
        cells[name] = [format_value(value, str(name), wanted) for value in frame[name]]
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name]) for name in frame]
    return Table(cells, numeric, caption)


def format_value(value: object, column: str, digits: int | None = None) -> str:
    """One cell as text: a share has 4 decimals, a float 3 significant digits, a count is grouped by thousands.

    >>> format_value(0.91234, "accuracy"), format_value(12.3456, "latency_ms"), format_value(3_400_000.0, "size_bytes")
    ('0.9123', '12.3', '3,400,000')
    >>> format_value(float("nan"), "latency_ms"), format_value(1234, "parameters"), format_value(0.00001234, "x")
    ('–', '1,234', '1.23e-05')
    >>> format_value(float("inf"), "relative_excess")
    '∞'
    """
    if value is None or (isinstance(value, Real) and value != value) or value is pd.NA:
        return NOTHING
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "yes" if value else "no"
    if not isinstance(value, Real):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if isinstance(value, Integral) or (column.endswith(("_bytes", "_n", "parameters", "macs")) and value == int(value)):
        return f"{int(value):,}"
    if "accuracy" in column and digits is None:
        return f"{value:.4f}"
    return significant(float(value), digits or 3)


def significant(value: float, digits: int) -> str:
    """`value` with so many significant digits, without an exponent between 0.0001 and a thousand million.

    >>> significant(1234.5, 3), significant(0.05, 3), significant(99.96, 3), significant(-2.0, 3), significant(2.5e9, 3)
    ('1,234', '0.0500', '100', '-2.00', '2.50e+09')
    """
    if value == 0:
        return "0"
    value = float(f"{value:.{digits - 1}e}") if abs(value) < 10 ** (digits - 1) else value  # 99.96 becomes 100 first
    exponent = int(f"{abs(value):e}".split("e")[1])
    if -5 < exponent < 9:
        return f"{value:,.{max(digits - 1 - exponent, 0)}f}"
    return f"{value:.{digits - 1}e}"


class Table:
    """A formatted table that Jupyter and the book know how to show. `cells` holds its texts."""

    def __init__(self, cells: pd.DataFrame, numeric: list[bool], caption: str | None):
        self.cells, self.numeric, self.caption = cells, numeric, caption

    def _repr_mimebundle_(self, **_) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/markdown": self.to_markdown(), "text/plain": self.to_text()}

    def to_html(self) -> str:
        head = "".join(self._cell("th", str(name), i, 'scope="col"') for i, name in enumerate(self.cells))
        rows = (
            "<tr>" + "".join(self._cell("td", value, i) for i, value in enumerate(row)) + "</tr>"
            for row in self.cells.itertuples(index=False)
        )
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        wide = " hw-wide" if len(self.cells.columns) > 4 else ""  # cells stay on one line and the box scrolls
        label = escape(self.caption or "table", quote=True)
        return (
            # tabindex: a region that scrolls must be reachable from the keyboard. "dataframe" is Jupyter's own table style
            f'<div class="hw-table{wide}" role="region" tabindex="0" aria-label="{label}"><table class="dataframe">{caption}\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
        )

    def _cell(self, tag: str, text: str, index: int, extra: str = "") -> str:
        side = "right" if self.numeric[index] else "left"
        name = self.cells.columns[index]
        shown = escape(text)
        if tag == "th":
            shown = shown.replace("_", "_<wbr>")  # long names may break after an underscore
        elif name == "evidence":
            shown = f'<span class="hw-evidence hw-{shown}">{shown}</span>'
        return f'<{tag} {extra + " " if extra else ""}style="text-align:{side}">{shown}</{tag}>'

    def to_markdown(self) -> str:
        """GitHub's table, the caption in bold above it (LaTeX; the HTML form is used wherever there is a browser)."""

        def line(values) -> str:
            return "| " + " | ".join(str(value).replace("|", "\\|").replace("_", "\\_") for value in values) + " |"

        rule = "| " + " | ".join("---:" if right else "---" for right in self.numeric) + " |"
        body = [line(row) for row in self.cells.itertuples(index=False)]
        title = [f"**{self.caption}**", ""] if self.caption else []
        return "\n".join([*title, line(self.cells), rule, *body])

    def to_text(self) -> str:
        return self.cells.to_string(index=False)
