"""Make a profile's run the stored reference: its models, its tables, and the chart of the README."""

import json
from pathlib import Path

import pandas as pd

from .base import artifacts
from .base.errors import UserError
from .base.results import REFERENCE, build_dir, written_whole
from .base.schema import NOTEBOOKS
from .report.charts import CONFIG, to_svg
from .report.figures_model import size_vs_accuracy
from .run import read_stamp


def store_reference(profile: str, say=print) -> None:
    """Make the models and tables of `build/<profile>` the content of results/reference; `measured` becomes `recorded`.

    Only what the run used is stored, each table with host, commit and date of the notebook that wrote it. Raises
    UserError when the profile has not been run to its end, or shows accuracies that were not measured here.
    """
    source = build_dir(profile)
    stamps = {name: read_stamp(source / "stamps" / f"{name}.json") for name in NOTEBOOKS}
    unfinished = [name for name, stamp in stamps.items() if not stamp]
    if unfinished:
        raise UserError(f"{unfinished[0]} of profile {profile!r} has not finished: run params/{profile}.yaml first.")
    variants = pd.read_csv(source / "results" / "variants.csv")
    if (variants["evidence"] != "measured").any():
        # a recorded accuracy must keep the host, commit and date of whoever measured it
        raise UserError(f"profile {profile!r} shows recorded accuracies: set HWAWARE_DATA, run it again, then store it.")
    owner = {file: stamp for stamp in stamps.values() for file in stamp["files"]}
    tables = {file: owner[file] for file in owner if file.startswith("results/")}
    entries = _used_entries(source, _checksums(source, tables))
    old = [path for path in REFERENCE.glob("*.*") if path.suffix in (".csv", ".tflite", ".npz", ".delta")]
    for file in (file["name"] for entry in entries.values() for file in entry["files"].values()):
        with written_whole(REFERENCE / file) as path:
            path.write_bytes(_find_file(source, file).read_bytes())
    artifacts.write_manifest(REFERENCE, entries)
    for file, stamp in tables.items():
        frame = pd.read_csv(source / file)
        frame["evidence"] = frame["evidence"].replace("measured", "recorded")
        for key in ("host", "commit", "date"):  # rows that were only shown keep the origin that they came with
            known = frame.get(f"recorded_{key}", pd.Series(index=frame.index, dtype=object))
            frame[f"recorded_{key}"] = known.fillna(stamp[key])
        with written_whole(REFERENCE / Path(file).name) as path:
            frame.to_csv(path, index=False)
    kept = {file["name"] for entry in entries.values() for file in entry["files"].values()} | {
        Path(file).name for file in tables
    }
    for path in old:
        if path.name not in kept:
            path.unlink()
    write_readme_chart(variants.assign(evidence="recorded"))
    say(f"stored {len(entries)} artifacts and {len(tables)} tables in {REFERENCE}")


def _checksums(source: Path, tables: dict) -> set[str]:
    """The sha256 of every file that a table of the run describes."""
    frames = (pd.read_csv(source / file) for file in tables)
    return {checksum for frame in frames if "sha256" in frame for checksum in frame["sha256"]}


def _used_entries(source: Path, used: set[str]) -> dict[str, dict]:
    """The manifest entries, own before stored, with a file whose sha256 is in `used` (of an update: the file that its delta
    makes), and the biases and ranges made for these.

    Left out is what is made again in seconds and without the data set (fp16 and dynamic files), the Keras weights of networks
    that teach nobody, and the networks of the exploration, whose table is shown instead.
    """
    known = artifacts.read_manifest(REFERENCE) | artifacts.read_manifest(source / "models")
    taught = {entry["recipe"].get("teacher") for entry in known.values()}
    kept = {}
    for name, entry in known.items():
        precision = entry["recipe"].get("precision")
        made_for = {entry["recipe"]["source"]} if precision in ("biases", "onnx_ranges") else set()
        checksums = made_for or {f["sha256"] for f in entry["files"].values()}
        checksums |= set(entry.get("successors", {}).values())
        if used & checksums and precision not in ("fp16", "dynamic") and entry["recipe"]["architecture"] != "explored":
            files = {role: file for role, file in entry["files"].items() if role != "weights" or name in taught}
            kept[name] = entry | {"files": files}
    return kept


def _find_file(source: Path, name: str) -> Path:
    return next(path for path in (source / "models" / name, REFERENCE / name) if path.is_file())


def write_readme_chart(variants: pd.DataFrame) -> None:
    """results/reference/size-vs-accuracy.svg, dark on white: a README has no style sheet to follow."""
    chart = size_vs_accuracy(variants).properties(width=640, height=330).to_dict()
    spec = json.loads(json.dumps(chart | {"config": CONFIG | {"background": "white"}}).replace("currentColor", "#333333"))
    with written_whole(REFERENCE / "size-vs-accuracy.svg") as path:
        path.write_text(to_svg(spec))
