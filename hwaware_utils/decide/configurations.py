"""The table that every decision starts from: one row per variant and platform, each number with its own evidence."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..base.errors import UserError, nearest
from ..base.evidence import EVIDENCE
from ..base.results import REFERENCE, load_table
from ..platforms.specs import ARITHMETIC

COLUMNS = [
    *("variant", "architecture", "precision", "platform", "runtime", "threads", "accuracy", "latency_ms", "latency_ms_low"),
    *("latency_ms_high", "ram_bytes", "ram_bytes_high", "flash_bytes", "flash_bytes_high", "size_bytes"),
    *("energy_mj", "energy_mj_low", "energy_mj_high", "accuracy_evidence", "latency_ms_evidence", "ram_bytes_evidence"),
    *("flash_bytes_evidence", "size_bytes_evidence", "energy_mj_evidence", "evidence"),
]

NAMES = ["variant", "architecture", "precision", "platform"]
METRICS = {"accuracy": "", "latency_ms": "ms", "ram_bytes": "B", "flash_bytes": "B", "size_bytes": "B", "energy_mj": "mJ"}


def load_configurations(source: pd.DataFrame | str | Path | None = None) -> pd.DataFrame:
    """The checked table: a data frame, a CSV file, a profile's name (its configurations.csv), or, None, the stored reference.

    What the reference measured is `recorded` here. UserError names what is missing or impossible in the table.
    """
    if isinstance(source, pd.DataFrame):
        return check_configurations(source, "the table of configurations")
    if source is not None and Path(source).suffix != ".csv":
        return check_configurations(load_table("configurations", str(source), needs="05_pareto"), f"profile {source!r}")
    path = REFERENCE / "configurations.csv" if source is None else Path(source)
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the configurations.csv of a run.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no table ({str(error).splitlines()[0]}): give a CSV file with a header.") from error
    if source is None:
        known = [name for name in table if name.endswith("evidence")]
        table[known] = table[known].replace("measured", "recorded")
    return check_configurations(table, path.name)


def check_configurations(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """`table` with a fresh index. UserError, one sentence, for a missing column, an empty table, an empty or unknown name,
    or a number that is text, negative, infinite or, for an accuracy, above 1. NaN is allowed: it means unknown.
    """
    missing = [column for column in (*NAMES, *METRICS, "evidence") if column not in table]
    if missing:
        raise UserError(f"{name} lacks the column {', '.join(missing)}: add it, or take the configurations.csv of a run.")
    if table.empty:
        raise UserError(f"{name} holds no configuration: give it a row for each variant and platform.")
    for column in NAMES:
        if table[column].isna().any():
            raise UserError(f"{name}: row {int(table[column].isna().argmax()) + 2} has no {column}: fill it in.")
    for column, allowed in (("precision", ARITHMETIC), ("evidence", EVIDENCE)):
        for value in table[column].unique():
            if value not in allowed:
                raise UserError(f"{name}: {column} {value!r} is unknown{nearest(value, allowed)}")
    numbers = [column + end for column in METRICS for end in ("", "_low", "_high") if column + end in table]
    for column in numbers:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise UserError(f"{name}: column {column} holds text: give numbers, and leave unknown ones empty.")
        values, most = table[column].to_numpy(float), 1.0 if column.startswith("accuracy") else np.finfo(float).max
        wrong = ~np.isnan(values) & ~((values >= 0) & (values <= most))
        if wrong.any():
            row = table.iloc[int(wrong.argmax())]
            expected = "0 to 1" if most == 1 else "a finite number of 0 or more"
            raise UserError(f"{name}: {column} of {row['variant']} on {row['platform']} is {row[column]}: expected {expected}.")
    return table.reset_index(drop=True)


def assemble_configurations(variants: pd.DataFrame, energies: pd.DataFrame, memories: pd.DataFrame) -> pd.DataFrame:
    """Join `variants` (contract: variant, architecture, precision, accuracy, size_bytes, evidence), a latency table with
    energy (`energy.estimate_energy`) and `memories` (variant, platform, ram_kib and flash_kib with _high, evidence).

    A row for each variant and platform of `energies`; `<metric>_evidence` says how each number is known and `evidence`
    how the row's weakest (the energy) is. UserError names a variant that is missing or double in one of the tables.
    """
    for name, table, key in (("variants", variants, ["variant"]), ("memories", memories, ["variant", "platform"])):
        double = table.loc[table.duplicated(key), "variant"]
        if len(double):
            raise UserError(f"the table of {name} holds {double.iloc[0]!r} twice: give one row a {' and '.join(key)}.")
        wanted = set(energies[key].itertuples(index=False, name=None))
        missing = wanted - set(table[key].itertuples(index=False, name=None))
        if missing:
            raise UserError(f"the table of {name} lacks {' on '.join(sorted(missing)[0])!r}: add its row.")
    known = variants[["variant", "architecture", "precision", "accuracy", "size_bytes", "evidence"]]
    ends = [(kind, end) for kind in ("ram", "flash") for end in ("", "_high")]
    bytes_ = {f"{kind}_bytes{end}": memories[f"{kind}_kib{end}"] * 1024 for kind, end in ends}
    evidence = {f"{kind}_bytes_evidence": memories["evidence"] for kind in ("ram", "flash")}
    table = (
        energies.drop(columns=["precision"], errors="ignore")
        .rename(columns={"evidence": "energy_mj_evidence"})
        .merge(known.rename(columns={"evidence": "accuracy_evidence"}), on="variant", validate="many_to_one")
        .merge(
            memories[["variant", "platform"]].assign(**bytes_, **evidence), on=["variant", "platform"], validate="one_to_one"
        )
    )
    # A file's size is read from the file, whoever trained what is in it.
    return table.assign(size_bytes_evidence="measured", evidence=table["energy_mj_evidence"])[COLUMNS]
