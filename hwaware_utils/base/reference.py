"""The stored reference under results/reference: written by `store`, read when a model or a figure cannot be made here."""

import pandas as pd

from . import artifacts
from .errors import UserError
from .provenance import provenance
from .results import REFERENCE, build_dir, written_whole


def store_reference(profile: str, say=print) -> None:
    """Copy the models and tables of `build/<profile>` into results/reference; `measured` becomes `recorded`.

    Raises UserError when the profile has not been run.
    """
    source = build_dir(profile)
    tables = sorted((source / "results").glob("*.csv"))
    if not tables:
        raise UserError(f"{source} holds no results: run params/{profile}.yaml first.")
    own = artifacts.read_manifest(source / "models")
    names = {file["name"] for entry in own.values() for file in entry["files"].values()}
    for name in names:
        with written_whole(REFERENCE / name) as path:
            path.write_bytes((source / "models" / name).read_bytes())
    replaced = {
        k for k, entry in artifacts.read_manifest(REFERENCE).items() if names & {f["name"] for f in entry["files"].values()}
    }
    kept = {key: entry for key, entry in artifacts.read_manifest(REFERENCE).items() if key not in replaced}
    artifacts.write_manifest(REFERENCE, kept | own)
    made = {key: value for key, value in provenance().items() if key != "versions"}
    for table in tables:
        frame = pd.read_csv(table)
        frame["evidence"] = frame["evidence"].replace("measured", "recorded")
        with written_whole(REFERENCE / table.name) as path:
            frame.assign(**{f"recorded_{key}": value for key, value in made.items()}).to_csv(path, index=False)
    say(f"stored {len(own)} artifacts and {len(tables)} tables in {REFERENCE}")


def recorded_accuracy(sha256: str) -> dict | None:
    """The stored accuracy of the model with this sha256, as columns of variants.csv, or None."""
    path = REFERENCE / "variants.csv"
    if not path.is_file():
        return None
    stored = pd.read_csv(path).set_index("sha256")
    if sha256 not in stored.index:
        return None
    columns = ["accuracy", "accuracy_low", "accuracy_high", "accuracy_n", "dataset", "evidence"]
    return stored.loc[[sha256], columns].iloc[0].to_dict()
