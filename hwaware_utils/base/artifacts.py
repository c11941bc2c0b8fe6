"""Trained and converted models, found again by the recipe that made them.

A store is a folder with files and a `manifest.json`: for each recipe the files with their sha256, the data set
with its fingerprint, host, commit and date. A file whose sha256 differs is refused by name.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .provenance import provenance
from .results import REFERENCE, build_dir, written_whole


@dataclass(frozen=True)
class Artifact:
    """One recipe's outcome: `files` maps a role (`fp32`, `log`, ...) to a path; `facts` is its manifest entry."""

    name: str
    files: dict[str, Path]
    facts: dict
    recorded: bool


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recipe_id(recipe: dict) -> str:
    """`<architecture>-<first 12 hex digits of the sha256 of the recipe>`."""
    text = json.dumps(recipe, sort_keys=True)
    return f"{recipe['architecture']}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def read_manifest(folder: Path) -> dict:
    """The manifest of a store; empty when there is none. UserError when it is no valid JSON object."""
    path = folder / "manifest.json"
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text())
        for name, entry in manifest.items():
            if not isinstance(entry["recipe"], dict):
                raise ValueError(f"the recipe of {name} is none")
            for file in entry["files"].values():
                if Path(file["name"]).name != file["name"] or not isinstance(file["sha256"], str):
                    raise ValueError(f"{name} names no file beside the manifest")
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}): restore it with git, or delete it to start anew.") from error


def find(name: str, profile: str, retrain: bool = False) -> Artifact | None:
    """The artifact with the recipe id `name`: this profile's own first, then, unless `retrain`, the stored reference.

    Raises UserError naming any file that is missing or whose sha256 is not the manifest's.
    """
    for folder in [_own(profile)] + ([] if retrain else [REFERENCE]):
        entry = read_manifest(folder).get(name)
        if entry is not None:
            files = {role: folder / file["name"] for role, file in entry["files"].items()}
            for role, path in files.items():
                _refuse_damaged(path, entry["files"][role]["sha256"])
            return Artifact(name, files, entry, recorded=folder != _own(profile))
    return None


def find_source(checksum: str, profile: str, needs: str) -> Artifact:
    """The training artifact whose FP32 file has this sha256. UserError names the notebook to run when there is none."""
    for folder in (_own(profile), REFERENCE):
        for name, entry in read_manifest(folder).items():
            if entry["files"].get("fp32", {}).get("sha256") == checksum:
                return find(name, profile, retrain=folder == _own(profile))
    raise UserError(
        f"no stored training made the model {checksum[:12]}...: run notebooks/{needs}.ipynb with profile {profile!r} first."
    )


def locate(file_name: str, checksum: str, profile: str) -> Path:
    """The stored file of that name and sha256, own or reference. UserError when neither store has it unharmed."""
    candidates = [folder / file_name for folder in (_own(profile), REFERENCE)]
    for path in candidates:
        if path.is_file() and sha256(path) == checksum:
            return path
    raise UserError(
        f"{file_name} with sha256 {checksum[:12]}... is in neither store: run notebook 03 of profile {profile!r} again."
    )


def add(recipe: dict, profile: str, contents: dict[str, tuple[str, bytes]], **facts) -> Artifact:
    """Store `contents` (role -> (ending, bytes)) as the outcome of `recipe` in this profile's own store.

    A file is named `<recipe id>.<ending>`, so that no recipe can overwrite the files of another one.
    """
    folder, name = _own(profile), recipe_id(recipe)
    entry = {"recipe": recipe, **provenance(), **facts, "files": {}}
    for role, (ending, content) in contents.items():
        with written_whole(folder / f"{name}.{ending}") as path:
            path.write_bytes(content)
        entry["files"][role] = {"name": f"{name}.{ending}", "sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(folder, read_manifest(folder) | {name: entry})
    return Artifact(name, {role: folder / file["name"] for role, file in entry["files"].items()}, entry, recorded=False)


def write_manifest(folder: Path, manifest: dict) -> None:
    with written_whole(folder / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _own(profile: str) -> Path:
    return build_dir(profile) / "models"


def _refuse_damaged(path: Path, expected: str) -> None:
    remedy = "restore it with `git checkout`" if path.parent == REFERENCE else f"delete {path.parent} and run again"
    if not path.is_file():
        raise UserError(f"{path.name} is listed in {path.parent}/manifest.json but missing: {remedy}.")
    if sha256(path) != expected:
        raise UserError(f"{path.name} in {path.parent} is damaged (its sha256 is not the manifest's): {remedy}.")
