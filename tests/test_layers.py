"""TensorFlow stays where something trains or converts, and imports point down only."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

PACKAGE = ROOT / "hwaware_utils"
# From the bottom up; a module may import from its own layer and from those before it.
LAYERS = ["base", "workload", "study", "platforms", "simulate", "decide", "report", "run"]
MODULES = sorted(PACKAGE.rglob("*.py"))
NEEDS_TENSORFLOW = {
    f"study.{name}" for name in ("tf", "models", "channels", "compression", "training", "checkpointing", "layer_steps")
}
FILES = {"tflite_file": "workload", "tflite_write": "workload", "__main__": "run", "store": "run"} | {
    f"commands_{name}": "run" for name in ("ask", "ota", "simulate")
}


def dotted(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def layer_of(module: str) -> int:
    first = module.split(".")[0]
    return LAYERS.index(FILES.get(first, first))


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "__init__.py"], ids=dotted)
def test_imports_point_down_only(path):
    module = dotted(path)
    parts = module.split(".")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            origin = parts[: len(parts) - node.level]
            for name in (
                [".".join([*origin, node.module])] if node.module else [".".join([*origin, a.name]) for a in node.names]
            ):
                assert layer_of(name) <= layer_of(module), f"{module} imports {name}"


def test_nothing_outside_training_imports_tensorflow():
    modules = [f"hwaware_utils.{dotted(p)}" for p in MODULES if p.name not in ("__init__.py", "__main__.py")]
    light = [m for m in modules if m.removeprefix("hwaware_utils.") not in NEEDS_TENSORFLOW]
    code = f"import importlib, sys\nfor m in {light!r}: importlib.import_module(m)\nassert 'tensorflow' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_files_stay_thin():
    long = {dotted(p): n for p in MODULES if (n := len(p.read_text().splitlines())) > 220}
    assert not long
