"""The command line: `python -m hwaware_utils`. Exit code 1 when a notebook fails, 2 for bad input."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .base.errors import UserError, about_a_place
from .commands_ask import explore, predict, recommend
from .commands_ota import ota
from .commands_simulate import firmware, simulate, simulators

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """The hardware-aware report: run its notebooks, store what they made, ask its models."""


@app.command()
def run(
    profile: Annotated[Path, typer.Argument(help="a profile, such as params/smoke.yaml")],
    only: Annotated[str, typer.Option(help="run one notebook: 03, or 03_quantization")] = "",
    force: Annotated[bool, typer.Option(help="run even what is up to date")] = False,
    retrain: Annotated[
        bool, typer.Option(help="do not load trainings from results/reference; an own one in build/ is resumed or kept (hours)")
    ] = False,
) -> None:
    """Run a profile's notebooks in order; skips what is up to date and resumes after an interruption."""
    from . import run as runner
    from .base.params import load_profile

    try:
        models = load_profile(profile)
        if retrain:
            models = {
                name: p.model_copy(update={"retrain": True} if hasattr(p, "retrain") else {}) for name, p in models.items()
            }
        runner.run(models, only, force)
    except runner.NotebookFailed as failure:
        typer.echo(failure, err=True)
        raise typer.Exit(1) from failure


@app.command()
def store(profile: Annotated[Path, typer.Argument(help="the profile whose run is to become the reference")]) -> None:
    """Copy a profile's models and tables into results/reference, where measured becomes recorded."""
    from .base.params import load_profile
    from .store import store_reference

    store_reference(load_profile(profile)["01_baseline"].profile)


for command in (predict, recommend, explore, simulate, firmware, simulators, ota):
    app.command()(command)


def cli() -> None:
    try:
        app()
    except UserError as error:
        typer.echo(error, err=True)
        sys.exit(2)
    except OSError as error:
        told = about_a_place(error)
        if told is None:
            raise
        typer.echo(told, err=True)
        sys.exit(2)


if __name__ == "__main__":
    cli()
