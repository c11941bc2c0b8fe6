"""One page that goes along with a model file: what it is, how to feed it, what to expect, how to check it on the board."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.artifacts import sha256
from ..base.errors import UserError
from ..base.results import build_dir, written_whole
from ..platforms.specs import load_platform
from .configurations import METRICS
from .golden import Golden, Tensor, golden
from .phases import application_limits
from .recommendation import Recommendation

_TITLES = {
    "accuracy": "accuracy",
    "latency_ms": "latency",
    "ram_bytes": "RAM",
    "flash_bytes": "flash",
    "size_bytes": "file",
    "energy_mj": "energy an inference",
}


def deployment_sheet(
    answer: Recommendation, model: Path, labels: list[str], dataset: str, checks: pd.DataFrame | None = None
) -> str:
    """The sheet of the choice as Markdown. `model`: its .tflite; `labels`: the classes in the order of the outputs; `checks`:
    from `validate_deployment`. UserError when nothing was chosen, or labels and outputs differ in number."""
    if answer.choice is None:
        raise UserError(f"nothing fits {answer.platform}, so there is nothing to deploy: relax a limit first.")
    spec, known = load_platform(answer.platform), golden(model)
    outputs = known.output.shape[-1]
    if outputs != len(labels):
        raise UserError(f"{len(labels)} labels for a model with {outputs} outputs: give one an output, in order.")
    parts = [
        f"# {answer.model} on {spec.title}",
        f"Chosen for **{answer.objective_name}** with these limits: {application_limits(answer)}. Runtime: {spec.runtime} "
        f"{spec.runtime_version}, threads: {answer.choice.get('threads', 1)}.",
        _section("Model", _identity(answer, model, dataset)),
        _section("Input and output", _interface(known, labels)),
        "## What to expect\n\n" + _expectation(answer),
        "## Check it on the board\n\n" + _verification(known, spec.kind),
        "## Validated and not\n\n" + (_checks(checks) if checks is not None and len(checks) else "Nothing was validated."),
        "## Update\n\n" + _UPDATE,
    ]
    return "\n\n".join(parts) + "\n"


def write_sheet(text: str, answer: Recommendation, profile: str) -> Path:
    """Write a sheet to `build/<profile>/sheets/<platform>-<variant>.md` and return the path."""
    with written_whole(build_dir(profile) / "sheets" / f"{answer.platform}-{answer.model}.md") as path:
        path.write_text(text, encoding="utf-8")
    return build_dir(profile) / "sheets" / f"{answer.platform}-{answer.model}.md"


def without_headings(text: str) -> str:
    """A sheet for the middle of a page: its headings would be sections of that page, so they turn bold.

    >>> without_headings("# A sheet\\n\\nfile `a#b`")
    '**A sheet**\\n\\nfile `a#b`'
    """
    return re.sub(r"^#+ (.*)$", r"**\1**", text, flags=re.M)


def _section(title: str, facts: dict[str, str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _identity(answer: Recommendation, model: Path, dataset: str) -> dict[str, str]:
    return {
        "file": f"`{Path(model).name}`, {Path(model).stat().st_size:,} bytes",
        "sha256": f"`{sha256(Path(model))}`",
        "architecture and number format": f"{answer.architecture}, {answer.quantization}",
        "trained and tested on": dataset,
    }


def _interface(known: Golden, labels: list[str]) -> dict[str, str]:
    height, width = known.input.shape[1:3]
    scaling = "real value = pixel / 127.5 - 1, in [-1, 1]"
    return {
        "input": f"{_describe(known.input)}, RGB, one image at a time",
        "preprocessing": f"bilinear resize to {height} x {width} (half-pixel centres, edges repeated), then {scaling}"
        + (f"; then round(real / {known.input.scale!r}) {known.input.zero_point:+d}, clipped" if known.input.scale else ""),
        "output": f"{_describe(known.output)}, logits without softmax: the largest is the class"
        + (f"; real = {known.output.scale!r} * (q {-known.output.zero_point:+d})" if known.output.scale else ""),
        "labels in order": ", ".join(f"{number} {name}" for number, name in enumerate(labels)),
    }


def _describe(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape))
    return f"{tensor.dtype} {shape}" + (f", scale {tensor.scale!r}, zero point {tensor.zero_point}" if tensor.scale else "")


def _expectation(answer: Recommendation) -> str:
    rows = ["| quantity | value | interval | evidence |", "| --- | ---: | ---: | --- |"]
    for metric, unit in METRICS.items():
        low, high = (answer.choice.get(f"{metric}_{end}", np.nan) for end in ("low", "high"))
        divisor, unit = (1024, "KiB") if unit == "B" else (1, unit)
        digits = ".4f" if metric == "accuracy" else ",.0f" if unit == "KiB" else ".4g"
        shown = [f"{end / divisor:{digits}}" for end in (low, high) if not pd.isna(end)]
        interval = f"{shown[0]} to {shown[1]}" if len(shown) == 2 else f"up to {shown[0]}" if shown else "–"
        value = f"{answer.choice[metric] / divisor:{digits}} {unit}".strip()
        rows.append(f"| {_TITLES[metric]} | {value} | {interval} | {answer.evidence[metric]} |")
    return "\n".join(rows)


def _verification(known: Golden, kind: str) -> str:
    logits, whose = known.logits(kind)
    integer = np.issubdtype(logits.dtype, np.integer)
    exact = "bit by bit with these kernels" if integer else f"within {max(known.steps, 1e-3):.1g}"
    listed = ", ".join(f"{value}" if integer else f"{value:.4f}" for value in logits.tolist())
    return (
        "Feed the input tensor whose value i (flattened, channels last) is the top byte of `i * 2654435761` modulo 2^32, "
        f"{_AS[known.input.dtype]}.\n\n"
        f"- CRC-32 of the input tensor: `{known.input_crc32:08x}`\n"
        f"- logits by {whose}: `{listed}`, equal {exact}; XNNPACK and the reference kernels differ by up to {known.steps:.2g}\n"
        f"- largest: class {int(np.argmax(logits))}"
    )


def _checks(checks: pd.DataFrame) -> str:
    rows = ["| check | found | expected | passed | evidence |", "| --- | ---: | ---: | --- | --- |"]
    rows += [f"| {r.check} | {r.found} | {r.expected} | {r.passed} | {r.evidence} |" for r in checks.itertuples()]
    return "\n".join(rows)


_AS = {"int8": "minus 128", "uint8": "as it is", "float32": "divided by 127.5, minus 1"}
_UPDATE = """\
1. Fine-tune, convert with the quantisation scales frozen, and run the golden input through the new file.
2. Make a signed, versioned package against this file's sha256; a delta is refused on any other base.
3. Write it to the free slot, verify it, switch; a power cut at any write leaves one slot that boots.
4. Roll out when the drift monitor asks for it, not by the calendar, and keep this sheet with the version."""
