"""One trained model through every toolchain, and each architecture's best INT8 file in every format: side by side.

All latencies of a run are taken in turns. Accuracies are measured once a file: one that was recorded for the same bytes
and the same number of images is shown, as recorded.
"""

from dataclasses import dataclass
from importlib import metadata

import numpy as np
import pandas as pd

from ..base import artifacts
from ..base.errors import UserError
from ..base.reference import recorded_table
from ..tflite_write import compact
from . import converter_int8, plain_int8
from .benchmark import open_model
from .data import Dataset
from .export_onnx import to_onnx
from .model_files import ModelFile, describe, measure_accuracy, measure_latency
from .onnx_exports import best_int8, onnx_int8, write_exports
from .onnx_layout import describe_layout, with_channels_first
from .quantization import calibration_images, calibration_inputs


@dataclass(frozen=True)
class Survey:
    """`toolchains`: a row a way to make the model of the first architecture. `exports`: a row a file of each architecture.
    `layout`: `onnx_layout.describe_layout` of the first architecture's .onnx files, and of FP32 with a channels-first input.

    Columns of the first two: variant, architecture, precision, file_type, made_by, size_bytes, file_sha256, accuracy (with
    interval, accuracy_n, agreement with FP32), evidence (of the accuracy), latency_ms (with range, p99_ms, runtime,
    threads, n_runs, platform), latency_evidence, dataset, sha256 (of the FP32 .tflite).
    """

    toolchains: pd.DataFrame
    exports: pd.DataFrame
    layout: pd.DataFrame


def survey(variants: pd.DataFrame, p, data: Dataset | None) -> Survey:
    """Make, measure and write (build/<profile>/exports) the files for the parameters `p` of notebook 03c.

    `variants` is notebook 03's table. UserError when something must be made or measured that needs images, and `data` is
    None, or when an architecture of `p.exported` is not in the table.
    """
    sources = {name: _source(variants, name, p) for name in p.exported}
    first = p.exported[0]
    recorded = None if p.retrain else _recorded(sources[first], p)
    ours = artifacts.locate(*_row(variants, first, "int8_ptq")[["model_file", "sha256"]], p.profile)
    paths = [source.files["fp32"] for source in sources.values()]
    contents = to_onnx(paths if recorded is not None else [*paths, ours])
    pairs_of = zip(sources.items(), contents, strict=False)  # one more where the toolchains are made
    made = {name: _exports(name, source, content, variants, p, data) for (name, source), content in pairs_of}
    exports = [file for files in made.values() for file in files]
    toolchains = [] if recorded is not None else _toolchains(sources[first], ours, made[first], contents[-1], p, data)
    others = [file for file in toolchains if file not in exports]
    nchw = with_channels_first(made[first][1])
    timing = measure_latency([*exports, *others, nchw], p.n_runs, p.warm_up_runs)
    write_exports(exports, p.profile)
    groups = {name: made[name] + (others if name == first else []) for name in p.exported}
    tables = [_measured(files, sources[name], timing, p, data) for name, files in groups.items()]
    table = pd.concat(tables, ignore_index=True)
    names = [file.variant for file in toolchains]
    chosen = table.set_index("variant", drop=False).loc[names].reset_index(drop=True) if names else recorded[0]
    exported = table[table["file_sha256"].isin([file.sha256 for file in exports])].reset_index(drop=True)
    if recorded is not None:
        return Survey(chosen, exported, recorded[1])
    in_onnx = [file for file in [*made[first], *others, nchw] if file.file_type == "onnx"]
    layout = describe_layout(in_onnx, timing, p.n_runs // 4 + 1)
    return Survey(chosen, exported, layout.assign(sha256=artifacts.sha256(sources[first].files["fp32"])))


def _exports(name: str, source, fp32_onnx: bytes, variants: pd.DataFrame, p, data) -> list[ModelFile]:
    best = best_int8(variants, name)
    int8 = artifacts.locate(best["model_file"], best["sha256"], p.profile).read_bytes()
    tools = {tool: f"{tool} {metadata.version(tool)}" for tool in ("tensorflow", "tf2onnx", "ai-edge-quantizer", "onnxruntime")}
    by = tools["ai-edge-quantizer"] if best["precision"] == "int8_ptq" else tools["tensorflow"]
    quantized = onnx_int8(source, fp32_onnx, p, data)
    return [
        ModelFile(f"{name}-fp32", "fp32", "tflite", tools["tensorflow"], source.files["fp32"].read_bytes()),
        ModelFile(f"{name}-fp32-onnx", "fp32", "onnx", tools["tf2onnx"], fp32_onnx),
        ModelFile(best["variant"], "int8", "tflite", by, int8),
        ModelFile(f"{name}-int8-onnx", "int8", "onnx", tools["onnxruntime"], quantized),
    ]


def _toolchains(source, ours, exports: list[ModelFile], ours_onnx: bytes, p, data) -> list[ModelFile]:
    if data is None:
        raise UserError("the toolchains are not recorded for these settings, and comparing them needs images of the data set.")
    images, fp32 = calibration_images(data, p.calibration_images, p.seed), source.files["fp32"]
    name, quantizer = source.facts["recipe"]["architecture"], f"ai-edge-quantizer {metadata.version('ai-edge-quantizer')}"
    plain = compact(plain_int8.convert_int8(fp32, calibration_inputs(fp32, images)))
    converted = converter_int8.convert_int8(source, images)
    own = next((f for f in exports if f.content == ours.read_bytes()), None)
    own = own or ModelFile(f"{name}-int8_ptq", "int8", "tflite", quantizer, ours.read_bytes())
    tensorflow, scale = f"tensorflow {metadata.version('tensorflow')}", open_model(ours).get_input_details()[0]
    detail = {"dtype": scale["dtype"], "quantization": scale["quantization"]}
    return [
        exports[0],
        exports[1],
        own,
        ModelFile(f"{name}-int8-plain", "int8", "tflite", f"{quantizer}, biases as they come", plain),
        ModelFile(f"{name}-int8-converter", "int8", "tflite", tensorflow, converted),
        exports[3],
        ModelFile(f"{name}-int8-tf2onnx", "int8", "onnx", f"tf2onnx {metadata.version('tf2onnx')}", ours_onnx, detail),
    ]


def _measured(files: list[ModelFile], source, timing: pd.DataFrame, p, data: Dataset | None) -> pd.DataFrame:
    """The rows of one architecture's files: described, with accuracies measured or recorded, and their latencies."""
    checksum, name = artifacts.sha256(source.files["fp32"]), source.facts["recipe"]["architecture"]
    settings = {"calibration_images": p.calibration_images, "seed": p.seed}
    table = describe(files).assign(architecture=name, sha256=checksum, dataset=source.facts["dataset"], **settings)
    stored = [t for t in (recorded_table(n, checksum) for n in ("exports", "toolchains")) if t is not None]
    known = pd.concat(stored).drop_duplicates("file_sha256").set_index("file_sha256") if stored and not p.retrain else None
    columns = ["accuracy", "accuracy_low", "accuracy_high", "accuracy_n", "agreement"]
    shown = known is not None and set(table["file_sha256"]) <= set(known.index)
    shown = shown and (data is None or known.loc[table["file_sha256"], "accuracy_n"].eq(p.toolchain_images).all())
    if shown:
        accuracy = known.loc[table["file_sha256"], columns].reset_index(drop=True).assign(evidence="recorded")
    elif data is None:
        raise UserError(f"no accuracy is recorded for the files of {name}, and the data set is not here: set HWAWARE_DATA.")
    else:
        accuracy = measure_accuracy(files, *_sample(data, p), files[0]).assign(evidence="measured")
    times = timing.set_index("variant").loc[table["variant"]].reset_index(drop=True)
    times = times.rename(columns={"evidence": "latency_evidence"})
    return pd.concat([table, accuracy, times], axis=1)


def _recorded(source, p) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The stored toolchains and layout, if they were made of the same FP32 file with the same settings."""
    rows, layout = (recorded_table(name, artifacts.sha256(source.files["fp32"])) for name in ("toolchains", "onnx_layout"))
    settings = {"calibration_images": p.calibration_images, "accuracy_n": p.toolchain_images, "seed": p.seed}
    same = rows is not None and all(name in rows and rows[name].eq(value).all() for name, value in settings.items())
    return (rows.assign(latency_evidence="recorded"), layout) if same and layout is not None else None


def _sample(data: Dataset, p) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < p.toolchain_images <= len(data.x_test):
        raise UserError(f"toolchain_images {p.toolchain_images}: give a number from 1 to {len(data.x_test)} (the test images).")
    chosen = np.random.default_rng(p.seed).permutation(len(data.x_test))[: p.toolchain_images]
    return data.x_test[chosen], data.y_test[chosen]


def _row(variants: pd.DataFrame, architecture: str, precision: str) -> pd.Series:
    rows = variants[(variants["architecture"] == architecture) & (variants["precision"] == precision)]
    if rows.empty:
        raise UserError(f"variants.csv holds no {precision} file of {architecture!r}: run notebook 03 with this precision.")
    return rows.iloc[0]


def _source(variants: pd.DataFrame, architecture: str, p) -> artifacts.Artifact:
    return artifacts.find_source(_row(variants, architecture, "fp32")["sha256"], p.profile, needs="02_optimizations")


def pairs(exports: pd.DataFrame) -> dict[str, int]:
    """Who is faster, counted over `Survey.exports`: pairs (architecture and precision in both runtimes), litert_wins, and,
    of all architectures, int8_litert and int8_onnx, where INT8 is faster than FP32 in that runtime."""
    wide = exports.pivot_table(index="architecture", columns=["file_type", "precision"], values="latency_ms")
    wins = sum(int((wide["tflite", kind] < wide["onnx", kind]).sum()) for kind in ("fp32", "int8"))
    kinds = {"litert": "tflite", "onnx": "onnx"}
    gained = {f"int8_{name}": int((wide[kind, "int8"] < wide[kind, "fp32"]).sum()) for name, kind in kinds.items()}
    return {"pairs": 2 * len(wide), "litert_wins": wins, "architectures": len(wide), **gained}
