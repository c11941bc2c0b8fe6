"""Parameters are checked at the door, before anything runs: one sentence for the first thing that is wrong.

A profile in params/ is one flat YAML file; each notebook takes the keys that its model in schema.py names.
"""

import ast
import os
from pathlib import Path

import yaml
from pydantic import ValidationError

from .errors import UserError, nearest, shown
from .results import build_dir
from .schema import NOTEBOOKS
from .schema_study import Training
from .schema_types import Common


def check(notebook: str, namespace: dict) -> Common:
    """The checked parameters of `notebook`, picked from its global names. UserError in one sentence."""
    model, where = NOTEBOOKS[notebook], f"notebooks/{notebook}.ipynb"
    for cell in namespace.get("In", []):
        if cell.startswith("# Parameters\n"):  # what papermill injected: it warns about unknown names, we refuse them
            _refuse_unknown([target.id for line in ast.parse(cell).body for target in line.targets], where)
    return _checked(model, {name: namespace[name] for name in model.model_fields if name in namespace}, where)


def load_profile(path: Path) -> dict[str, Common]:
    """Read a profile and check all of it: unknown keys, types, ranges, files, a build folder that can be written.

    A key that is missing takes the notebooks' own default. Relative places become absolute: the notebooks run in
    another folder.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give a profile such as params/smoke.yaml.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no valid YAML ({' '.join(str(error).split())[:160]}).") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} must hold `name: value` lines; found {type(values).__name__}.")
    _refuse_unknown(values, str(path))
    _checked(Common, {k: v for k, v in values.items() if k in Common.model_fields}, str(path))
    if values.get("profile", "smoke") != path.stem:
        raise UserError(
            f"{path}: profile = {shown(values.get('profile', 'smoke'))} must be the file's name: write `profile: {path.stem}`."
        )
    for name in ("data_dir", "weights"):
        if isinstance(values.get(name), str) and values[name] not in ("", "none", "imagenet"):
            values[name] = _absolute(values[name])
    for variable in ("HWAWARE_BUILD", "HWAWARE_DATA", "HWAWARE_WEIGHTS"):
        if os.environ.get(variable):
            os.environ[variable] = _absolute(os.environ[variable])
    models = {
        notebook: _checked(model, {k: v for k, v in values.items() if k in model.model_fields}, str(path))
        for notebook, model in NOTEBOOKS.items()
    }
    _check_places(models["01_baseline"], path)
    return models


def _refuse_unknown(names, where: str) -> None:
    known = sorted({name for model in NOTEBOOKS.values() for name in model.model_fields})
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise UserError(f"{where}: {shown(name)} is no parameter of any notebook{near}")


def _checked(model: type[Common], values: dict, where: str) -> Common:
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        told = first["msg"].removeprefix("Value error, ")
        name = ".".join(str(part) for part in first["loc"])
        given = f"{name} = {shown(first['input'])}: " if name else ""
        hint = " (YAML reads 3e-3 as text: write 0.003)" if first["type"] == "float_type" else ""
        raise UserError(f"{where}: {given}{told[0].lower() + told[1:].rstrip('.')}{hint}.") from error


def _absolute(place: str) -> str:
    try:
        return str(Path(place).expanduser().absolute())
    except RuntimeError as error:  # ~somebody
        raise UserError(f"{shown(place)} begins with the home of an unknown user: write the whole path.") from error


def _is(place: str, kind) -> bool:
    """`kind` is Path.is_file or Path.is_dir; a name too long for the system is neither."""
    try:
        return kind(Path(place))
    except OSError:
        return False


def _check_places(training: Training, path: Path) -> None:
    if training.dataset == "folder" and not training.data_dir:
        raise UserError(f"{path}: dataset 'folder' needs data_dir: an image folder laid out as train|test/<class>/<image>.")
    places = {f"{path}: data_dir": training.data_dir, "HWAWARE_DATA": os.environ.get("HWAWARE_DATA", "")}
    for name, place in places.items():
        if place and not (_is(place, Path.is_dir) or (_is(place, Path.is_file) and place.endswith(".npz"))):
            raise UserError(f"{name} {shown(place)} does not exist or is no data set: give an image folder or an .npz file.")
    chosen = {f"{path}: weights": training.weights, "HWAWARE_WEIGHTS": os.environ.get("HWAWARE_WEIGHTS") or "none"}
    for name, place in chosen.items():
        if place not in ("none", "imagenet") and not _is(place, Path.is_file):
            raise UserError(f"{name} {shown(place)} does not exist: give a weights file, 'imagenet' or 'none'.")
    folder = build_dir(training.profile)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): free it, or set HWAWARE_BUILD to a folder that can."
        ) from error
