"""The commands around the simulators: `simulate`, `firmware`, `simulators`."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    model: Annotated[Path, typer.Argument(help="a .tflite file")],
    on: Annotated[str, typer.Option(help="cortex_a78, cortex_m7, browser, ethos_u, x86_host or renode")] = "cortex_m7",
    as_json: Annotated[bool, typer.Option("--json", help="answer in JSON")] = False,
) -> None:
    """Execute a model in a simulator: outputs compared bit by bit, instructions and cycles counted."""
    from .simulate.survey import run_simulator

    rows = run_simulator(on, model).summary
    typer.echo(rows.to_json(orient="records", indent=1) if as_json else rows.T.to_string(header=False))


def firmware(
    model: Annotated[Path, typer.Argument(help="an INT8 .tflite file")],
    folder: Annotated[Path, typer.Argument(help="a new folder for the C sources")],
    kernels: Annotated[str, typer.Option(help="simd (Armv7E-M) or portable (any C compiler)")] = "simd",
) -> None:
    """Generate bare-metal C firmware for a Cortex-M7 from an INT8 model."""
    from .simulate.cortex_m import export_firmware

    typer.echo(f"The firmware is in {export_firmware(model, folder, kernels)}; its README.md says how to build it.")


def simulators() -> None:
    """Install what the simulators need (optional, each by itself) and say which of them are ready."""
    from .simulate.set_up import set_up_simulators

    table = set_up_simulators(say=typer.echo)
    typer.echo(table.to_string(index=False))
