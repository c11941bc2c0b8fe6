"""The benchmarks as one .xlsx workbook: a sheet that explains, the data dictionary, then a sheet for each table.

The same tables give the same bytes: openpyxl writes the time of saving into the file, which is taken out again.
"""

import io
import math
import re
import zipfile
from pathlib import Path

import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from ..base.evidence import EVIDENCE
from ..base.results import written_whole
from .dictionary import look_up, table_meaning

# The tables that compare something, in the order of the book. Per-operator and per-epoch tables stay CSV.
SHEETS = (
    "variants", "latency", "latency_host", "memory", "energy", "fits", "configurations", "pareto", "hypervolume",
    "recommendations", "deployments", "effectiveness", "techniques", "utilization", "roofs", "simulations",
    "simulated_modelled", "platform_errors", "platform_validation", "memory_validation", "energy_validation",
    "cortex_a78_validation", "toolchains", "scenarios", "battery", "ota", "exploration_candidates", "claims",
)  # fmt: skip
STAMP = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can hold
MAX_WIDTH = 48


def write_workbook(tables: dict[str, pd.DataFrame], path: Path) -> Path:
    """Write those of `tables` that `SHEETS` names to `path` (.xlsx), the header row frozen, widths after the contents."""
    book = Workbook()
    chosen = {name: tables[name] for name in SHEETS if name in tables}
    _fill(book.active, "read me", read_me(chosen))
    _fill(book.create_sheet(), "columns", column_table(chosen))
    for name, frame in chosen.items():
        _fill(book.create_sheet(), name, frame)
    content = io.BytesIO()
    book.save(content)
    with written_whole(path) as temporary:
        temporary.write_bytes(without_times(content.getvalue()))
    return path


def read_me(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The first sheet: the kinds of evidence, then what each sheet holds."""
    kinds = [("evidence", kind, text, None) for kind, text in EVIDENCE.items()]
    sheets = [("sheet", name, table_meaning(name), len(frame)) for name, frame in tables.items()]
    return pd.DataFrame([*kinds, *sheets], columns=["what", "name", "meaning", "rows"])


def column_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The data dictionary of the sheets: table, column, unit, meaning."""
    rows = [(name, column, *(look_up(name, column) or ("", ""))) for name, frame in tables.items() for column in frame]
    return pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])


def _fill(sheet: Worksheet, title: str, frame: pd.DataFrame) -> None:
    sheet.title = title[:31]  # Excel's limit
    sheet.freeze_panes = "A2"
    for j, name in enumerate(frame, 1):
        values = [plain(value) for value in frame[name]]
        for i, value in enumerate([str(name), *values], 1):
            cell = sheet.cell(i, j)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"  # a text that begins with = is no formula
        sheet.cell(1, j).font = Font(bold=True)
        sheet.cell(1, j).alignment = Alignment(vertical="top")
        longest = max((len(_shown(value)) for value in [str(name), *values]), default=0)
        sheet.column_dimensions[get_column_letter(j)].width = min(longest + 2, MAX_WIDTH)
    if len(frame):
        sheet.auto_filter.ref = sheet.dimensions


def plain(value: object) -> object:
    """`value` as a spreadsheet can hold it: nothing for NaN, text for infinity and for what is no number.

    >>> import numpy as np
    >>> plain(np.float64("nan")), plain(float("inf")), plain(np.int64(3)), plain(np.True_), plain("a")
    (None, 'inf', 3, True, 'a')
    """
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _shown(value: object) -> str:
    """About what a spreadsheet shows of `value` in a cell of standard width."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def without_times(content: bytes) -> bytes:
    """The workbook with the times of writing replaced: of each part of the zip file, and in the document's properties."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            part = old.read(info)
            if info.filename == "docProps/core.xml":
                part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", part)
            entry = zipfile.ZipInfo(info.filename, STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, part)
    return result.getvalue()
