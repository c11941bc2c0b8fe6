"""The table that every decision starts from: one row per variant and platform, each number with its own evidence."""

import pandas as pd

from ..base.errors import UserError

COLUMNS = [
    *("variant", "architecture", "precision", "platform", "runtime", "threads", "accuracy", "latency_ms", "latency_ms_low"),
    *("latency_ms_high", "ram_bytes", "size_bytes", "energy_mj", "energy_mj_low", "energy_mj_high", "accuracy_evidence"),
    *("latency_ms_evidence", "ram_bytes_evidence", "size_bytes_evidence", "energy_mj_evidence", "evidence"),
]


def assemble_configurations(variants: pd.DataFrame, energies: pd.DataFrame, arenas: pd.DataFrame) -> pd.DataFrame:
    """Join `variants` (contract: variant, architecture, precision, accuracy, size_bytes, evidence), a latency table with
    energy (`energy.estimate_energy`) and `arenas` (variant, arena_bytes, evidence) into the configurations.

    A row for each variant and platform of `energies`; `<metric>_evidence` says how each number is known and `evidence`
    how the row's weakest (the energy) is. UserError names a variant that is missing or double in one of the tables.
    """
    for name, table in (("variants", variants), ("arenas", arenas)):
        double = table.loc[table["variant"].duplicated(), "variant"]
        if len(double):
            raise UserError(f"the table of {name} holds {double.iloc[0]!r} twice: give one row a variant.")
        missing = set(energies["variant"]) - set(table["variant"])
        if missing:
            raise UserError(f"the table of {name} lacks {sorted(missing)[0]!r}: add its row.")
    known = variants[["variant", "architecture", "precision", "accuracy", "size_bytes", "evidence"]]
    memory = arenas[["variant", "arena_bytes", "evidence"]].set_axis(["variant", "ram_bytes", "ram_bytes_evidence"], axis=1)
    table = (
        energies.drop(columns=["precision"], errors="ignore")
        .rename(columns={"evidence": "energy_mj_evidence"})
        .merge(known.rename(columns={"evidence": "accuracy_evidence"}), on="variant", validate="many_to_one")
        .merge(memory, on="variant", validate="many_to_one")
    )
    # A file's size is read from the file, whoever trained what is in it.
    return table.assign(size_bytes_evidence="measured", evidence=table["energy_mj_evidence"])[COLUMNS]
