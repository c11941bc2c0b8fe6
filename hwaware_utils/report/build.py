"""Bind a profile's executed notebooks into a book: `python -m hwaware_utils.report.build build/<profile> [html|pdf]`.

Executes nothing. Sphinx warnings are errors. When nothing has changed since the last build, it says so and stops.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..base.errors import UserError, about_a_place
from ..base.results import REFERENCE, ROOT, written_whole
from ..base.schema import NOTEBOOKS
from . import demo
from .latex import check_tex, run_date, typeset


def build_book(folder: Path, kind: str = "html", say=print) -> Path:
    """Build the book of `folder` (build/<profile>) and return its html/index.html or report.pdf.

    Raises UserError when a notebook has not been run, when TeX is missing, or with the warnings of Sphinx and LaTeX.
    """
    missing = [name for name in NOTEBOOKS if not (folder / "notebooks" / f"{name}.ipynb").is_file()]
    if missing:
        raise UserError(
            f"{missing[0]} has not been run in {folder}: run `python -m hwaware_utils run params/<profile>.yaml` first."
        )
    product, build = {"html": (folder / "html" / "index.html", _html), "pdf": (folder / "report.pdf", _pdf)}[kind]
    stamp, key = folder / "stamps" / kind, _key(folder, kind)
    if product.is_file() and stamp.is_file() and stamp.read_text() == key:
        say(f"The book is up to date: {product}")
        return product
    build(folder, product, stamp, say)
    with written_whole(stamp) as path:
        path.write_text(key)
    say(f"The book is ready: {product}")
    return product


def _html(folder: Path, product: Path, stamp: Path, say) -> None:
    say("Binding the book ...")
    _jupyter_book(folder, folder, "html", stamp)
    demo.add_files(folder, folder / "_build" / "html")
    if not product.parent.is_symlink():
        product.parent.symlink_to("_build/html")


def _pdf(folder: Path, product: Path, stamp: Path, say) -> None:
    check_tex()
    say("Binding the book as a PDF: some minutes ...")
    # Apart from the HTML book's pages: either build would throw away what the other has read
    latex = folder / "pdf" / "_build" / "latex"
    shutil.rmtree(latex, ignore_errors=True)  # Sphinx warns of each file that it overwrites
    date = run_date(sorted((folder / "notebooks").glob("*.ipynb")))
    _jupyter_book(folder, folder / "pdf", "latex", stamp, {"SOURCE_DATE_EPOCH": date})
    made = typeset(latex, {"SOURCE_DATE_EPOCH": date})
    with written_whole(product) as path:
        shutil.copyfile(made, path)


def _jupyter_book(folder: Path, output: Path, builder: str, stamp: Path, variables: dict[str, str] | None = None) -> None:
    """Run Sphinx on `folder` into `output`/_build/`builder`."""
    if not stamp.is_file():
        # Sphinx keeps the pages that it has read and would not repeat the warnings of a build that failed or was killed
        shutil.rmtree(output / "_build", ignore_errors=True)
    stamp.unlink(missing_ok=True)
    shutil.copytree(ROOT / "book", folder / "book", dirs_exist_ok=True)
    program = Path(sys.executable).with_name("jupyter-book")
    # The table of contents must be an absolute path; a relative one is looked for below the source folder.
    toc = demo.table_of_contents(folder) if builder == "html" else ROOT / "_toc.yml"
    arguments = ["build", folder, "--config", ROOT / "_config.yml", "--toc", toc, "--path-output", output]
    done = subprocess.run(
        [program, *arguments, "-W", "--keep-going", "--builder", builder],
        capture_output=True,
        text=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env=os.environ | (variables or {}),
    )
    if done.returncode:
        shutil.rmtree(output / "_build", ignore_errors=True)
        told = [line for line in (done.stdout + done.stderr).splitlines() if "WARNING" in line or "ERROR" in line]
        raise UserError("the book has errors:\n" + "\n".join(told or (done.stdout + done.stderr).splitlines()[-20:]))


def _key(folder: Path, kind: str) -> str:
    """Hash of everything that the book is made of; the HTML book offers the PDF, if there is one."""
    digest = hashlib.sha256(str(kind == "html" and demo.wanted()).encode())
    sources = [
        ROOT / "_config.yml",
        ROOT / "_toc.yml",
        ROOT / "CITATION.cff",
        REFERENCE / "manifest.json",
        ROOT / "results" / "reliability.csv",
        *(ROOT / "book").rglob("*"),
        *(ROOT / "hwaware_utils" / "report").glob("*.py"),
    ]
    sources += [*(folder / "notebooks").glob("*.ipynb"), *(folder / "results").glob("*.csv")]
    sources += [folder / "report.pdf"] if kind == "html" else []
    for path in sorted(p for p in sources if p.is_file()):
        digest.update(str(path.name).encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["html"], ["pdf"]):
        sys.exit("usage: python -m hwaware_utils.report.build build/<profile> [html|pdf]")
    try:
        build_book(Path(sys.argv[1]).resolve(), *sys.argv[2:])
    except (UserError, OSError) as error:
        told = about_a_place(error) if isinstance(error, OSError) else error
        if told is None:
            raise
        print(told, file=sys.stderr)
        sys.exit(2)
