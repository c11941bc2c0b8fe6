"""The commands that ask the models: `predict`, `recommend`, `explore`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .base.errors import UserError


def predict(
    platform: Annotated[str, typer.Option(help="a platform id: the name of a file in params/platforms")] = "",
    model: Annotated[Path | None, typer.Option(help="a .tflite file; or give the geometry below")] = None,
    family: Annotated[str, typer.Option(help="mobilenet_v1 or mobilenet_v2")] = "mobilenet_v2",
    alpha: Annotated[float, typer.Option(help="width multiplier")] = 1.0,
    resolution: Annotated[int, typer.Option(help="pixels a side")] = 224,
    classes: Annotated[int, typer.Option(help="outputs of the last layer")] = 1000,
    precision: Annotated[str, typer.Option(help="fp32, fp16, dynamic or int8")] = "int8",
    threads: Annotated[int, typer.Option(help="cores at work")] = 1,
    batch: Annotated[Path | None, typer.Option(help="a CSV file of cases, a column each of the options above")] = None,
    out: Annotated[Path | None, typer.Option(help="where the answers to a batch go (CSV)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="answer in JSON")] = False,
) -> None:
    """Estimate latency, memory and energy of a network on a platform, with intervals."""
    from .platforms import predict as predictor

    if batch:
        _predict_batch(batch, out)
        return
    if not platform:
        raise UserError("no platform: give --platform, such as arm_cortex_m7, or --batch with a file of cases.")
    if model:
        row = predictor.predict_file(platform, model, threads)
    else:
        row = predictor.predict_mobilenet(platform, family, alpha, resolution, classes, precision, threads)
    if as_json:
        typer.echo(json.dumps({name: None if value != value else value for name, value in row.items()}, indent=1))
        return
    for name, value in row.items():
        typer.echo(f"{name:16} {value:.4g}" if isinstance(value, float) else f"{name:16} {value}")


def recommend(
    platform: Annotated[str, typer.Option(help="a platform id: the name of a file in params/platforms")] = "",
    objective: Annotated[str, typer.Option(help="latency, memory, energy, accuracy or balanced (the default)")] = "",
    weights: Annotated[str, typer.Option(help="instead of an objective: accuracy=2,energy=1 (or latency, memory, size)")] = "",
    latency_ms: Annotated[float | None, typer.Option(help="at most, held against the high end of the interval")] = None,
    memory_mb: Annotated[float | None, typer.Option(help="RAM at most, 1 MB = 1e6 bytes")] = None,
    size_mb: Annotated[float | None, typer.Option(help="file size at most")] = None,
    energy_mj: Annotated[float | None, typer.Option(help="energy of an inference at most")] = None,
    accuracy: Annotated[float | None, typer.Option(help="at least, 0 to 1")] = None,
    profile: Annotated[str, typer.Option(help="take build/<profile> instead of the stored reference")] = "",
    table: Annotated[Path | None, typer.Option(help="take this CSV file, with the columns of configurations.csv")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="answer in JSON")] = False,
) -> None:
    """Recommend a configuration for a platform, with the reason for every rejection; exit code 2 when nothing fits."""
    from .decide.question import ask, tell

    limits = {"latency_ms": latency_ms, "memory_mb": memory_mb, "size_mb": size_mb}
    limits |= {"energy_mj": energy_mj, "accuracy": accuracy}
    answer = ask(platform, objective, weights, limits, profile, table)
    if as_json:
        typer.echo(json.dumps(answer.as_dict(), indent=1, ensure_ascii=False))
    answer.must_fit()
    if not as_json:
        typer.echo(tell(answer))


def explore(
    platform: Annotated[str, typer.Option(help="a platform id: the name of a file in params/platforms")],
    trials: Annotated[int, typer.Option(help="complete trials in all, whoever ran them, earlier calls included")] = 300,
    storage: Annotated[str, typer.Option(help="a file, or for many machines postgresql+psycopg://user:password@host/db")] = "",
    workers: Annotated[int, typer.Option(help="processes here; the same command on other machines joins in")] = 1,
    epochs: Annotated[int, typer.Option(help="of the full training whose accuracy is predicted", min=1)] = 9,
    minimise: Annotated[
        str, typer.Option(help="beside the accuracy: latency_ms, energy_mj, ram_kib, flash_kib")
    ] = "latency_ms",
    seed: Annotated[int, typer.Option(help="one worker and a new study: the same seed, the same trials")] = 7,
    profile: Annotated[str, typer.Option(help="take the points of build/<profile> instead of the stored reference")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="answer in JSON")] = False,
) -> None:
    """Search widths, resolution, distillation and number format for a platform; resumes what the storage holds."""
    from .decide.explore.answer import front_of, shown
    from .decide.explore.known import load_search
    from .decide.explore.storage import default_file, hidden
    from .decide.explore.workers import explore as run_study

    search = load_search(platform, epochs, tuple(minimise.split(",")), profile)
    place = storage or default_file(platform)
    table = run_study(search, trials, place, workers, seed)
    front = shown(front_of(table, search))
    if as_json:
        answer = {"platform": platform, "trials": len(table), "storage": hidden(place), "front": front.to_dict("records")}
        typer.echo(json.dumps(answer, indent=1))
        return
    typer.echo(front.round(4).to_string(index=False))
    typer.echo(f"{len(front)} of {len(table)} trials are on the front; the study is kept in {hidden(place)}.")


def _predict_batch(batch: Path, out: Path | None) -> None:
    from .base.results import written_whole
    from .platforms.predict import predict_batch, read_cases

    if out is None:
        raise UserError("--batch needs --out: the CSV file that the answers go to.")
    answers, refused = predict_batch(read_cases(batch))
    with written_whole(out) as path:
        answers.to_csv(path, index=False)
    typer.echo(f"{len(answers) - len(refused)} of {len(answers)} cases are answered in {out}.")
    if refused:
        raise UserError("\n".join(refused))
