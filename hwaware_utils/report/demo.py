"""The page 'Live demo' (`make book DEMO=1`): an INT8 model of the profile in the reader's browser, by LiteRT.js.

Without DEMO=1 nothing of it is in the book. With it the page stands last in the appendix; model and runtime lie beside it
and are fetched with the reader's first picture.
"""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import yaml

from ..base import artifacts
from ..base.errors import UserError
from ..base.results import ROOT, written_whole
from ..simulate.browser.litertjs import find_litertjs, set_up_litertjs
from ..study.benchmark import open_model

PAGE = "book/demo/live_demo"
VARIANT = "baseline-int8_ptq"
# Browsers without relaxed SIMD load the second; a reader fetches one of them
WASM = ("litert_wasm_internal", "litert_wasm_compat_internal")
# The side of the training images, by the start of the data set's name; an image folder is scaled to 96 px (study/data.py)
SOURCE_PX = {"scikit-learn digits": 8, "CIFAR-10": 32}


def wanted() -> bool:
    """Whether HWAWARE_DEMO (`make book DEMO=1`) asks for the demo. UserError for a value that is neither yes nor no."""
    value = os.environ.get("HWAWARE_DEMO", "")
    if value not in ("", "0", "1"):
        raise UserError(f"DEMO={value!r} is no choice: give DEMO=1 for a book with the live demo, or leave it out.")
    return value == "1"


def table_of_contents(folder: Path) -> Path:
    """The table of contents to build from: the project's, or in `folder` one with the demo's page at its end.

    UserError, before anything is built, when the demo is wanted and LiteRT.js cannot be had.
    """
    ours, own = ROOT / "_toc.yml", folder / "_toc_demo.yml"
    if not wanted():
        own.unlink(missing_ok=True)
        return ours
    _runtime()
    content = yaml.safe_load(ours.read_text(encoding="utf-8"))
    content["parts"][-1]["chapters"].append({"file": PAGE})
    with written_whole(own) as path:
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return own


def add_files(folder: Path, html: Path) -> None:
    """Put what the demo's page loads beside it in the built book `html` of the run `folder`; or nothing, if not wanted."""
    beside = html / Path(PAGE).parent
    if not wanted():
        shutil.rmtree(beside, ignore_errors=True)  # of an earlier build with the demo
        return
    write_demo(folder, beside, _runtime())


def _runtime() -> Path:
    try:
        return find_litertjs()
    except UserError:
        return set_up_litertjs()


def write_demo(folder: Path, beside: Path, modules: Path) -> None:
    """Scripts, runtime, model and its description (job.json) into `beside`. UserError when the run has no such model."""
    results = folder / "results"
    variants, labels = _read(results / "variants.csv"), _read(results / "confusion_baseline.csv")["actual"].astype(str)
    row = variants.set_index("variant").loc[VARIANT] if VARIANT in set(variants["variant"]) else None
    if row is None:
        raise UserError(f"{results / 'variants.csv'} holds no {VARIANT}: add int8_ptq to the profile's precisions.")
    model = artifacts.locate(row["model_file"], row["sha256"], folder.name)
    (beside / "litert" / "wasm").mkdir(parents=True, exist_ok=True)
    for name in ("demo.js", "demo.css", "model.js"):
        shutil.copy(ROOT / "book" / "demo" / name, beside / name)
    shutil.copy(model, beside / "model.tflite")
    job = describe(model, VARIANT, labels.drop_duplicates().tolist(), row["dataset"])
    with written_whole(beside / "job.json") as path:
        path.write_text(json.dumps(job, indent=1), encoding="utf-8")
    _copy_runtime(modules / "@litertjs", beside / "litert")


def describe(model: Path, variant: str, classes: list[str], dataset: str) -> dict:
    """What model.js must know. UserError when the classes are not as many as the model's outputs."""
    interpreter = open_model(model)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if target["shape"][-1] != len(classes):
        raise UserError(
            f"{len(classes)} classes for {model.name}, which has {target['shape'][-1]} outputs: run notebook 01 again."
        )

    def tensor(detail: dict) -> dict:
        scale, zero_point = detail["quantization"]
        return {"dtype": detail["dtype"].__name__, "scale": float(scale), "zero_point": int(zero_point)}

    source_px = next((px for name, px in SOURCE_PX.items() if dataset.startswith(name)), 96)
    job = {"variant": variant, "model": "model.tflite", "dataset": dataset, "classes": classes}
    return job | {
        "source_px": source_px,
        "resolution": int(source["shape"][1]),
        "input": tensor(source),
        "output": tensor(target),
    }


def _copy_runtime(package: Path, litert: Path) -> None:
    """LiteRT.js without an import map: that would have to stand in the page, where a content-security policy forbids it."""
    code, bare = (package / "core" / "dist" / "index.js").read_text(encoding="utf-8"), 'from "@litertjs/wasm-utils"'
    if code.count(bare) != 1:
        raise UserError("this LiteRT.js is built differently: install the version of simulate/browser/package.json.")
    code = code.replace(bare, 'from "./wasm-utils.js"').replace("//# sourceMappingURL=index.js.map", "")
    (litert / "index.js").write_text(code, encoding="utf-8")
    utils = (package / "wasm-utils" / "dist" / "index.js").read_text(encoding="utf-8")
    (litert / "wasm-utils.js").write_text(utils.replace("//# sourceMappingURL=index.js.map", ""), encoding="utf-8")
    for name in WASM:
        for ending in ("js", "wasm"):
            shutil.copyfile(package / "core" / "wasm" / f"{name}.{ending}", litert / "wasm" / f"{name}.{ending}")


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path} is missing, the live demo needs it: run the profile's notebooks first.")
    return pd.read_csv(path)
