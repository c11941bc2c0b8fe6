"""Tables handed from one notebook to the next, and the files around them. A file appears whole or not at all."""

import contextlib
import os
from pathlib import Path

import pandas as pd

from .errors import UserError
from .evidence import check_evidence

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference"


def build_dir(profile: str) -> Path:
    """`build/<profile>` below the project, or below the variable HWAWARE_BUILD."""
    return Path(os.environ.get("HWAWARE_BUILD") or ROOT / "build") / profile


@contextlib.contextmanager
def written_whole(path: Path):
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save_table(frame: pd.DataFrame, name: str, profile: str) -> pd.DataFrame:
    """Write `build/<profile>/results/<name>.csv` and return the frame. ValueError without a valid `evidence` column."""
    check_evidence(frame, name)
    with written_whole(build_dir(profile) / "results" / f"{name}.csv") as path:
        frame.to_csv(path, index=False)
    return frame


def read_table(path: Path, needs: tuple[str, ...] | list[str] = (), **options) -> pd.DataFrame:
    """A CSV file as a frame; `options` go to pandas. UserError when it cannot be read, is no table, or lacks a column of
    `needs`."""
    remedy = "restore it with `git checkout`" if path.parent == REFERENCE else "write it again"
    try:
        table = pd.read_csv(path, **options)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {remedy}.") from error
    except (ValueError, OverflowError) as error:  # pandas' own errors among them
        raise UserError(f"{path} is no table ({' '.join(str(error).split())[:160]}): {remedy}.") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for an index
        raise UserError(f"{path} is no table (a row has more cells than the header): {remedy}.")
    missing = [column for column in needs if column not in table]
    if missing:
        raise UserError(f"{path} lacks the column {', '.join(missing)}: {remedy}.")
    return table


def load_table(name: str, profile: str, needs: str) -> pd.DataFrame:
    """Read a table that the notebook `needs` has written. UserError says which notebook to run if it has not."""
    path = build_dir(profile) / "results" / f"{name}.csv"
    if not path.is_file():
        raise UserError(f"{name}.csv of profile {profile!r} is missing: run notebooks/{needs}.ipynb with this profile first.")
    return read_table(path)
