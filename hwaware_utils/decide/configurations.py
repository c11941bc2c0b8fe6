"""The table that every decision starts from: one row per variant and platform, each number with its own evidence."""

import pandas as pd

from ..base.errors import UserError

COLUMNS = [
    *("variant", "architecture", "precision", "platform", "runtime", "threads", "accuracy", "latency_ms", "latency_ms_low"),
    *("latency_ms_high", "ram_bytes", "ram_bytes_high", "flash_bytes", "flash_bytes_high", "size_bytes"),
    *("energy_mj", "energy_mj_low", "energy_mj_high", "accuracy_evidence", "latency_ms_evidence", "ram_bytes_evidence"),
    *("flash_bytes_evidence", "size_bytes_evidence", "energy_mj_evidence", "evidence"),
]


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
