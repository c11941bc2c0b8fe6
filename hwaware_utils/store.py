"""Make a profile's run the stored reference: its models, its tables, and the chart of the README."""

import json

import pandas as pd

from .base import artifacts
from .base.errors import UserError
from .base.provenance import provenance
from .base.results import REFERENCE, build_dir, written_whole
from .report.charts import CONFIG, to_svg
from .report.figures_model import size_vs_accuracy


def store_reference(profile: str, say=print) -> None:
    """Copy the models and tables of `build/<profile>` into results/reference; `measured` becomes `recorded`.

    Raises UserError when the profile has not been run to its end.
    """
    source = build_dir(profile)
    tables = sorted((source / "results").glob("*.csv"))
    if not (source / "results" / "recommendations.csv").is_file():
        raise UserError(f"{source} holds no finished run: run params/{profile}.yaml first.")
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
    write_readme_chart(pd.read_csv(REFERENCE / "variants.csv"))
    say(f"stored {len(own)} artifacts and {len(tables)} tables in {REFERENCE}")


def write_readme_chart(variants: pd.DataFrame) -> None:
    """results/reference/size-vs-accuracy.svg, dark on white: a README has no style sheet to follow."""
    chart = size_vs_accuracy(variants).properties(width=640, height=330).configure(**CONFIG | {"background": "white"})
    spec = json.loads(chart.to_json().replace("currentColor", "#333333"))
    with written_whole(REFERENCE / "size-vs-accuracy.svg") as path:
        path.write_text(to_svg(spec))
