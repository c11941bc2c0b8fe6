"""Where the numbers come from: how the stored reference was recorded, how long the chapters ran, how to cite the report."""

import json
from pathlib import Path

import pandas as pd
import yaml

from ..base.artifacts import read_manifest
from ..base.results import REFERENCE, ROOT


def reference_run(folder: Path = REFERENCE) -> pd.DataFrame:
    """The manifest of a store, a row for each recipe id: recipe, kind (what was made), dataset, host, commit, date."""
    rows = [
        {
            "recipe": name,
            "kind": entry["recipe"].get("precision") or "training",
            "dataset": entry.get("dataset", ""),
            "host": entry.get("host", ""),
            "commit": entry.get("commit", ""),
            "date": entry.get("date", ""),
        }
        for name, entry in read_manifest(folder).items()
    ]
    table = pd.DataFrame(rows, columns=["recipe", "kind", "dataset", "host", "commit", "date"])
    return table.assign(evidence="recorded")


def run_times(notebooks: Path) -> pd.DataFrame:
    """How long papermill took over each executed notebook of a folder: chapter, seconds, date, evidence."""
    rows = []
    for path in sorted(notebooks.glob("[0-9]*.ipynb")):
        ran = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("papermill", {})
        if ran.get("duration") is not None:
            rows.append({"chapter": path.stem, "seconds": ran["duration"], "date": str(ran.get("end_time", ""))[:10]})
    return pd.DataFrame(rows, columns=["chapter", "seconds", "date"]).assign(evidence="measured")


def training_times(log: pd.DataFrame) -> pd.DataFrame:
    """How long the trainings took that the study rests on: architecture, epochs, minutes, evidence."""
    trained = log[log["phase"] != "start"]
    result = trained.groupby("architecture", sort=False).agg(
        epochs=("epoch", "size"), minutes=("seconds", lambda seconds: seconds.sum() / 60), evidence=("evidence", "first")
    )
    return result.reset_index()


def citation(path: Path = ROOT / "CITATION.cff") -> str:
    """The BibTeX entry that CITATION.cff amounts to."""
    facts = yaml.safe_load(path.read_text(encoding="utf-8"))
    authors = " and ".join(f"{{{author['name']}}}" for author in facts["authors"])
    fields = {
        "title": f"{{{facts['title']}}}", "author": authors, "year": str(facts["date-released"])[:4],
        "version": facts["version"], "note": f"Licences: {', '.join(facts['license'])}",
    }  # fmt: skip
    return "@misc{hwaware,\n" + "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items()) + "}"
