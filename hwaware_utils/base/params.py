"""The parameters of each notebook, checked before anything runs.

A profile in params/ is one flat YAML file; each notebook takes the keys that its model names. The defaults are
the smoke profile and equal the literals in the notebooks' parameter cells (tests/test_params.py compares them).
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import UserError
from .results import ROOT, build_dir

Alpha = Annotated[float, Field(gt=0, le=2)]
Resolution = Annotated[int, Field(ge=32, le=224, multiple_of=32)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Precision = Literal["fp32", "fp16", "dynamic", "int8_ptq"]


class Common(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] = "smoke"
    dataset: Literal["digits", "cifar10", "folder"] = "digits"
    data_dir: str = ""
    seed: Count = 7


class Training(Common):
    retrain: bool = False
    alpha: Alpha = 0.5
    resolution: Resolution = 32
    weights: str = "none"
    head_epochs: Count = 5
    warm_resolution: Resolution = 32
    warm_epochs: Count = 0
    epochs: Positive = 15
    learning_rate: Rate = 0.003
    weight_decay: Share = 0.02
    batch_size: Positive = 32


class Baseline(Training):
    threads: Positive = 1
    warm_up_runs: Count = 10
    n_runs: Annotated[int, Field(ge=10)] = 100


class Optimizations(Training):
    variant_alpha: Alpha = 0.35
    variant_epochs: Positive = 10
    variant_warm_epochs: Count = 0
    variant_learning_rate: Rate = 0.003
    teacher_weight: Share = 0.7
    temperature: Annotated[float, Field(ge=1)] = 4.0


class Quantization(Common):
    retrain: bool = False
    precisions: Annotated[list[Precision], Field(min_length=1)] = ["fp32", "fp16", "dynamic", "int8_ptq"]
    calibration_images: Positive = 200
    threads: Positive = 1
    warm_up_runs: Count = 10
    n_runs: Annotated[int, Field(ge=10)] = 100


class Platforms(Common):
    platforms: Annotated[list[str], Field(min_length=1)] = ["apple_m1", "arm_cortex_a78", "arm_cortex_m7", "x86_host"]


class Pareto(Platforms):
    pass


class Methodology(Platforms):
    target_platform: str = "arm_cortex_m7"
    objective: Literal["latency", "memory", "energy", "accuracy", "balanced"] = "accuracy"
    max_latency_ms: Annotated[float, Field(gt=0)] = 200.0


NOTEBOOKS: dict[str, type[Common]] = {
    "01_baseline": Baseline,
    "02_optimizations": Optimizations,
    "03_quantization": Quantization,
    "04_platforms": Platforms,
    "05_pareto": Pareto,
    "06_methodology": Methodology,
}


def check(notebook: str, namespace: dict) -> Common:
    """The checked parameters of `notebook`, picked from its global names. UserError in one sentence."""
    model = NOTEBOOKS[notebook]
    values = {name: namespace[name] for name in model.model_fields if name in namespace}
    return _checked(model, values, f"notebooks/{notebook}.ipynb")


def load_profile(path: Path) -> dict[str, Common]:
    """Read a profile and check all of it: unknown keys, types, ranges, files, a build folder that can be written."""
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give a profile such as params/smoke.yaml.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no valid YAML ({' '.join(str(error).split())[:160]}).") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} must hold `name: value` lines; found {type(values).__name__}.")
    known = {name for model in NOTEBOOKS.values() for name in model.model_fields}
    for key in values:
        if key not in known:
            raise UserError(f"{path}: {key!r} is no parameter of any notebook{nearest(key, known)}.")
    models = {
        notebook: _checked(model, {k: v for k, v in values.items() if k in model.model_fields}, str(path))
        for notebook, model in NOTEBOOKS.items()
    }
    _check_places(models["01_baseline"], path)
    return models


def nearest(word: str, known) -> str:
    """` (did you mean 'n_runs'?)`, or nothing when no name is near."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _checked(model: type[Common], values: dict, where: str) -> Common:
    try:
        checked = model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        told = first["msg"][0].lower() + first["msg"][1:]
        raise UserError(f"{where}: {name} = {first['input']!r}: {told}.") from error
    known = {path.stem for path in (ROOT / "params" / "platforms").glob("*.yaml")}
    for platform in [*getattr(checked, "platforms", []), getattr(checked, "target_platform", "")]:
        if platform and platform not in known:
            raise UserError(
                f"{where}: {platform!r} is no platform{nearest(platform, known)}: there are {', '.join(sorted(known))}."
            )
    return checked


def _check_places(training: Training, path: Path) -> None:
    if training.data_dir and not Path(training.data_dir).exists():
        raise UserError(f"{path}: data_dir {training.data_dir!r} does not exist: give an image folder or an .npz file.")
    if training.dataset == "folder" and not training.data_dir:
        raise UserError(f"{path}: dataset 'folder' needs data_dir: an image folder laid out as train|test/<class>/<image>.")
    if training.weights not in ("none", "imagenet") and not Path(training.weights).is_file():
        raise UserError(f"{path}: weights {training.weights!r} does not exist: give a path, 'imagenet' or 'none'.")
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
