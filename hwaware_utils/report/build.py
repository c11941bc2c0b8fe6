"""Bind a profile's executed notebooks into the HTML book: `python -m hwaware_utils.report.build build/<profile>`.

Executes nothing. Sphinx warnings are errors. When nothing has changed since the last build, it says so and stops.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from ..base.errors import UserError
from ..base.results import ROOT, written_whole
from ..base.schema import NOTEBOOKS


def build_book(folder: Path, say=print) -> Path:
    """Build the book of `folder` (build/<profile>) and return its index.html.

    Raises UserError when a notebook has not been run, or with Sphinx's warnings when there are any.
    """
    missing = [name for name in NOTEBOOKS if not (folder / "notebooks" / f"{name}.ipynb").is_file()]
    if missing:
        raise UserError(
            f"{missing[0]} has not been run in {folder}: run `python -m hwaware_utils run params/<profile>.yaml` first."
        )
    index, stamp = folder / "html" / "index.html", folder / "stamps" / "html"
    key = _key(folder)
    if index.is_file() and stamp.is_file() and stamp.read_text() == key:
        say(f"The book is up to date: {index}")
        return index
    say("Binding the book ...")
    if not stamp.is_file():
        # Sphinx keeps the pages that it has read and would not repeat the warnings of a build that failed or was killed
        shutil.rmtree(folder / "_build", ignore_errors=True)
    stamp.unlink(missing_ok=True)
    shutil.copytree(ROOT / "book", folder / "book", dirs_exist_ok=True)
    _jupyter_book(folder)
    if not (folder / "html").is_symlink():
        (folder / "html").symlink_to("_build/html")
    with written_whole(stamp) as path:
        path.write_text(key)
    say(f"The book is ready: {index}")
    return index


def _jupyter_book(folder: Path) -> None:
    program = Path(sys.executable).with_name("jupyter-book")
    # The table of contents must be an absolute path; a relative one is looked for below the source folder.
    arguments = ["build", folder, "--config", ROOT / "_config.yml", "--toc", ROOT / "_toc.yml", "--path-output", folder]
    done = subprocess.run(
        [program, *arguments, "-W", "--keep-going", "--builder", "html"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        shutil.rmtree(folder / "_build", ignore_errors=True)
        told = [line for line in (done.stdout + done.stderr).splitlines() if "WARNING" in line or "ERROR" in line]
        raise UserError("the book has errors:\n" + "\n".join(told or (done.stdout + done.stderr).splitlines()[-20:]))


def _key(folder: Path) -> str:
    """Hash of everything that the book is made of."""
    digest = hashlib.sha256()
    sources = [
        ROOT / "_config.yml",
        ROOT / "_toc.yml",
        *(ROOT / "book").rglob("*"),
        *(ROOT / "hwaware_utils" / "report").glob("*.py"),
    ]
    sources += [*(folder / "notebooks").glob("*.ipynb"), *(folder / "results").glob("*.csv")]
    for path in sorted(p for p in sources if p.is_file()):
        digest.update(str(path.name).encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m hwaware_utils.report.build build/<profile>")
    try:
        build_book(Path(sys.argv[1]).resolve())
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
