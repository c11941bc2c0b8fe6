"""From the LaTeX that Sphinx has written to the PDF: is TeX here, which date stands on the title page, what went wrong."""

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from ..base.errors import UserError
from ..base.results import ROOT

PROGRAMS = ("latexmk", "xelatex", "xdvipdfmx")
RUN_DATE = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d) UTC")  # as the run cards write it


def check_tex() -> None:
    """UserError with the line that installs TeX, if one of its programs is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise UserError(f"the PDF needs TeX, and {' and '.join(missing)} cannot be found: {install_line()}.")


def install_line() -> str:
    """What installs TeX on Debian, from the section "PDF" of apt.txt."""
    section = (ROOT / "apt.txt").read_text(encoding="utf-8").split("# The PDF", 1)[1].split("\n#", 1)[0]
    return f"run `apt-get install {' '.join(section.splitlines()[1:])}`"


def run_date(notebooks: list[Path]) -> str:
    """When the last of the notebooks was run, in seconds since 1970: the PDF's date, so that it depends on nothing else.

    UserError if no notebook has a run card.
    """
    found = {text for path in notebooks for text in RUN_DATE.findall(path.read_text(encoding="utf-8"))}
    if not found:
        raise UserError("no notebook has a run card with a date: run them with `make notebooks`.")
    return f"{datetime.strptime(max(found), '%Y-%m-%d %H:%M').replace(tzinfo=UTC).timestamp():.0f}"


def typeset(folder: Path, variables: dict[str, str]) -> Path:
    """Run LaTeX in `folder` as often as it takes; report.pdf. UserError with LaTeX's own errors."""
    done = subprocess.run(
        ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        stdin=subprocess.DEVNULL,
        # A long line of the log stays one line; TeX folds it at 79 characters otherwise
        env=os.environ | {"LATEXOPTS": "", "max_print_line": "1000"} | variables,
    )
    if done.returncode:
        raise UserError("the PDF has errors:\n" + "\n".join(complaints(done.stdout + done.stderr)))
    return folder / "report.pdf"


def complaints(told: str) -> list[str]:
    """LaTeX's errors with the line of the file, or the end of what it said; how to get a package that is missing.

    >>> complaints("(a.sty)\\n! Undefined control sequence.\\nl.12 \\\\x\\nmore")
    ['! Undefined control sequence.', 'l.12 \\\\x']
    """
    lines = told.splitlines()
    errors = [line for line in lines if line.startswith("!") or re.match(r"l\.\d+ ", line)] or lines[-20:]
    lacks = re.search(r"File `[^']+' not found|font .* cannot be found", told)
    return [*errors, f"A part of TeX is missing: {install_line()}."] if lacks else errors
