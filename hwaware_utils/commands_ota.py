"""The command `ota`: what an update of a model costs to send, and the signed package."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .base.errors import UserError


def ota(
    base: Annotated[Path, typer.Argument(help="the .tflite that runs in the field")],
    new: Annotated[Path, typer.Argument(help="its successor, a .tflite")],
    out: Annotated[Path | None, typer.Option(help="write the signed package there")] = None,
    key: Annotated[Path | None, typer.Option(help="Ed25519 private key (PEM) that signs; made, mode 0600, if absent")] = None,
    package_version: Annotated[int, typer.Option(help="a device takes only one higher than all it has run")] = 2,
    ram_bytes: Annotated[int | None, typer.Option(help="the device's RAM: methods whose decoder needs more are out")] = None,
    check: Annotated[bool, typer.Option(help="install it on a simulated device with a power cut in every write")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="answer in JSON")] = False,
) -> None:
    """Compare the ways to send an update of a model, and write the smallest as a signed package."""
    from .decide.ota import delta, keys, package

    if (out is None) != (key is None):
        raise UserError("a package needs --out, the file that it goes to, and --key, the private key that signs it: give both.")
    package.check_version(package_version)
    table = delta.compare_methods(base, new)
    method, content = delta.choose(table, base, new, ram_bytes)
    table.insert(1, "package_bytes", table["delta_bytes"] + package.OVERHEAD_BYTES)
    table.insert(len(table.columns) - 1, "chosen", table["method"] == method)
    answer = {"base": str(base), "new": str(new), "methods": json.loads(table.to_json(orient="records"))}
    if out is not None:
        signer = keys.read_key(key) if key.exists() else keys.make_key(key)
        signed = package.build(base.read_bytes(), new.read_bytes(), method, content, package_version, signer)
        _write(out, signed)
        answer |= {"package": str(out), "package_version": package_version, "public_key": keys.public_hex(signer)}
    if check:
        answer |= _checked(base, new, method, content)
    typer.echo(json.dumps(answer, indent=1) if as_json else _told(table, answer))


def _write(out: Path, content: bytes) -> None:
    from .base.results import written_whole

    try:
        with written_whole(out) as path:
            path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{str(out)!r} cannot be written ({error.strerror}): give another place.") from error


def _checked(base: Path, new: Path, method: str, content: bytes) -> dict:
    """Outcomes on a simulated device with a key of its own: the publisher's stays out of simulations."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from .decide.ota import package, table
    from .decide.ota.power_cuts import cut_everywhere

    key, image = Ed25519PrivateKey.generate(), new.read_bytes()
    device = table.make_device(base, key)
    cuts = cut_everywhere(device, package.build(base.read_bytes(), image, method, content, 2, key), image, again_every=256)
    bricked = int((cuts["boots"] == "nothing").sum())
    return {"writes": int(cuts["operation"].nunique()), "power_cuts": len(cuts), "bricked": bricked, "evidence": "simulated"}


def _told(table, answer: dict) -> str:
    shown = table.drop(columns="image_bytes").to_string(index=False, float_format=lambda value: f"{value:.4g}")
    lines = [shown]
    if out := answer.get("package"):
        version, trusted = answer["package_version"], answer["public_key"]
        lines.append(f"{out}: version {version}, for devices that trust the public key {trusted}.")
    if cuts := answer.get("power_cuts"):
        lines.append(f"{cuts} power cuts in {answer['writes']} writes (simulated): {answer['bricked']} bricked.")
    return "\n".join(lines)
