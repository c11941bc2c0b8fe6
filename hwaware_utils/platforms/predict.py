"""One question, one row: what does this network take on that platform? From its geometry or from a .tflite file."""

import math
from functools import lru_cache
from pathlib import Path

import pandas as pd

from ..base.errors import UserError, nearest
from ..base.quiet import progress
from ..study.widths import Channels
from ..workload import load_tensors, load_workload, size_bytes
from .device_memory import estimate_device_memory
from .energy import estimate_energy
from .fits import fits
from .latency import estimate_latency
from .mobilenet import cut_mobilenet, mobilenet_tensors, mobilenet_workload
from .specs import ARITHMETIC, load_platform

ASKED = ["platform", "family", "alpha", "resolution", "classes", "precision", "threads"]
ANSWERED = [
    *("latency_ms", "latency_ms_low", "latency_ms_high", "ram_kib", "ram_kib_low", "ram_kib_high", "flash_kib"),
    *("flash_kib_low", "flash_kib_high", "energy_mj", "energy_mj_low", "energy_mj_high", "fits", "why_not"),
    *("extrapolated", "basis", "evidence"),
]
_WHOLE = ("resolution", "classes", "threads")


def predict_mobilenet(
    platform: str, family: str, alpha: float, resolution: int, classes: int, precision: str, threads: int = 1
) -> dict:
    """Latency, RAM, flash and energy (middle, low, high), `fits`, `why_not`, `extrapolated`, `basis`, `evidence`.

    `precision` fp32, fp16, dynamic or int8. UserError for an unknown platform (with the nearest name), a value that no
    MobileNet has, or more threads than cores.
    """
    asked = dict(zip(ASKED, (platform, family, alpha, resolution, classes, precision, threads), strict=True))
    spec = load_platform(platform)
    operators, tensors = _mobilenet(family, float(alpha), int(resolution), int(classes), precision)
    return asked | _answer(spec, operators, tensors, precision, threads, None)


def predict_cut(platform: str, channels: Channels, resolution: int, classes: int, precision: str, threads: int = 1) -> dict:
    """The same for a MobileNetV2 with these channel counts (`Channels.cut`); adds its macs and parameters."""
    operators, tensors = cut_mobilenet(channels, resolution, classes, precision)
    work = {"macs": int(operators["macs"].sum()), "parameters": int(operators["weights"].sum())}
    return work | _answer(load_platform(platform), operators, tensors, precision, threads, None)


def predict_file(platform: str, model: Path, threads: int = 1) -> dict:
    """The same for a .tflite file, its number format read from it. Operators that no model knows are named in `basis`."""
    operators = load_workload(model)
    precision = detect_precision(operators)
    asked = {"platform": platform, "model": Path(model).name, "precision": precision, "threads": threads}
    return asked | _answer(load_platform(platform), operators, load_tensors(model), precision, threads, size_bytes(model))


def read_cases(path: Path) -> pd.DataFrame:
    """A CSV file of cases, every cell as text or empty. UserError when it is missing, empty or no table."""
    try:
        return pd.read_csv(path, dtype=str, skipinitialspace=True)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give a CSV file of cases.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is no table of cases ({str(error).splitlines()[0]}): give a CSV file with a header."
        ) from error


def predict_batch(cases: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A row of answers for each row of `cases` (columns ASKED), and a sentence for each row that could not be answered.

    A row that could not be answered keeps its place without numbers, its `why_not` says why. The sentences count rows as
    a spreadsheet does: the header is row 1. UserError when a column is missing.
    """
    missing = [column for column in ASKED if column not in cases]
    if missing:
        raise UserError(f"the cases lack the column {', '.join(missing)}: expected {', '.join(ASKED)}.")
    rows, refused = [], []
    for number, case in enumerate(progress(cases[ASKED].to_dict("records"), "predicting"), 2):
        try:
            rows.append(predict_mobilenet(**_parsed(case)))
        except UserError as error:
            refused.append(f"row {number}: {error}")
            rows.append(case | {"fits": False, "why_not": str(error)})
    answers = pd.DataFrame(rows, columns=[*ASKED, *ANSWERED])
    others = cases.drop(columns=[column for column in cases if column in answers]).reset_index(drop=True)
    return pd.concat([answers, others], axis=1), refused


def detect_precision(operators: pd.DataFrame) -> str:
    """The project's name of the number format of a workload table: by the types of weights and activations that multiply.

    UserError when nothing multiplies in a type that is known here.
    """
    heavy = operators[operators["macs"] > 0]
    kinds = {_kind(*types) for types in heavy[["weight_dtype", "dtype"]].itertuples(index=False)}
    if len(kinds) == 1 and None not in kinds:
        return kinds.pop()
    if kinds == {"int8", "fp32"}:
        return "mixed"
    types = sorted({f"{row.weight_dtype}/{row.dtype}" for row in heavy.itertuples()})
    raise UserError(f"the number format {', '.join(types) or 'of a model without multiplications'} is unknown here.")


def _kind(weights: str, activations: str) -> str | None:
    whole = ("int8", "uint8")
    if weights in whole and activations in whole:
        return "int8"
    if activations == "float32":
        return {"int8": "dynamic", "float16": "fp16", "float32": "fp32"}.get(weights)
    return None


@lru_cache(maxsize=256)
def _mobilenet(*geometry) -> tuple[pd.DataFrame, pd.DataFrame]:
    return mobilenet_workload(*geometry), mobilenet_tensors(*geometry)


def _answer(spec, operators, tensors, precision: str, threads: int, file_bytes: int | None) -> dict:
    memory = estimate_device_memory(operators, tensors, spec, precision, file_bytes)
    sizes = {name: memory[name] for name in ANSWERED if name in memory}
    if not spec.runs(precision):
        able = ", ".join(spec.arithmetics()) or "no number format"
        why = f"{spec.runtime} {spec.runtime_version} does not run {precision} models (it runs {able})"
        return sizes | {"fits": False, "why_not": why, "extrapolated": False, "basis": why, "evidence": "modelled"}
    row = estimate_latency(operators, spec, precision, threads)
    row |= estimate_energy(pd.DataFrame([row])).iloc[0][["energy_mj", "energy_mj_low", "energy_mj_high"]].to_dict()
    fitting, why_not = fits(spec, memory["ram_kib"] * 1024, memory["flash_kib"] * 1024)
    answer = row | sizes | {"fits": bool(fitting), "why_not": why_not, "evidence": "modelled"}
    return {name: answer[name] for name in ANSWERED}


def _parsed(case: dict) -> dict:
    """A row of a CSV file with numbers as numbers. UserError names the column."""
    parsed = dict(case)
    for column in ("alpha", *_WHOLE):
        try:
            value = float(case[column])
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value) or (column in _WHOLE and value != int(value)):
            wanted = "a whole number" if column in _WHOLE else "a number"
            raise UserError(f"column {column}: {case[column]!r} is not {wanted}.")
        parsed[column] = int(value) if column in _WHOLE else value
    for column in ("platform", "family", "precision"):
        if not isinstance(case[column], str):
            raise UserError(f"column {column}: {case[column]!r} is no name.")
        parsed[column] = case[column].strip()
    if parsed["precision"] not in ARITHMETIC:
        raise UserError(f"column precision: {parsed['precision']!r} is unknown{nearest(parsed['precision'], ARITHMETIC)}")
    return parsed
