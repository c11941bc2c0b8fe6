"""The guest: an arm64 userland with Python and LiteRT's aarch64 wheel, unpacked into a cache folder.

It comes from the machine's own package sources through a private apt state; the system's own state is never touched
and nothing is installed. LiteRT and NumPy have the host's versions, so that outputs can be compared bit by bit.
"""

import json
import os
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

from ...base.errors import UserError
from ...base.processes import find_tool, run
from ..cache import cache_dir

PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
WHEELS = ("ai-edge-litert", "numpy")
# Newest first; what a wheel needs of the C library must not be newer than the guest's own.
MANYLINUX = (*(f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)), "manylinux2014_aarch64")
TIMEOUT_S = 900
# Proxies and certificates of the system's configuration, but none of its hooks (they write to system folders).
KEPT_OPTIONS = ("Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::Retries", "Acquire::ForceIPv")


def guest_dir() -> Path:
    return cache_dir().absolute() / "cortex_a" / "userland"


def find_guest() -> dict:
    """The guest's facts: `root` (Path), `python` (3.11), `versions`, `packages`. UserError when it must be set up (anew)."""
    try:
        facts = json.loads((guest_dir() / "guest.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError("the arm64 guest is not set up on this machine: run `make simulators`.") from error
    if facts["versions"] != _versions():
        raise UserError("the arm64 guest holds other versions of LiteRT or NumPy than this host: run `make simulators`.")
    return facts | {"root": guest_dir()}


def set_up_guest(say=print) -> dict:
    """Make the guest unless a current one is there; returns `find_guest()`. About 60 MB of downloads, needs no root.

    UserError in one sentence when a tool is missing or a package source cannot be reached; nothing half-made is left.
    """
    try:
        return find_guest()
    except UserError:
        pass
    for tool, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg")):
        find_tool(tool, package=package)
    folder = guest_dir().parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as making:
        work, root = Path(making), Path(making) / "userland"
        say("arm64 guest: Debian packages ...")
        packages = _unpack_debs(work, root)
        python = next(path.name.removeprefix("python") for path in (root / "usr" / "bin").glob("python3.*"))
        say("arm64 guest: LiteRT and NumPy ...")
        _unpack_wheels(work, root / "opt" / "site", python)
        facts = {"python": python, "versions": _versions(), "packages": packages}
        _import_once(root, python)
        (root / "guest.json").write_text(json.dumps(facts, indent=1))
        shutil.rmtree(guest_dir(), ignore_errors=True)
        root.rename(guest_dir())
    say(f"arm64 guest: ready in {guest_dir()}")
    return find_guest()


def _import_once(root: Path, python: str) -> None:
    """Show that the guest can import LiteRT. Python keeps the bytecode, which makes every later start three times faster."""
    if qemu := shutil.which("qemu-aarch64"):
        program = [root / "usr" / "bin" / f"python{python}", "-c", "import ai_edge_litert.interpreter"]
        run([qemu, "-L", root, *program], "the guest's first import", TIMEOUT_S, env=environment())


def environment() -> dict[str, str]:
    """The guest's variables: none of the host's."""
    return {"PYTHONPATH": "/opt/site", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in WHEELS}


def _unpack_debs(work: Path, root: Path) -> list[str]:
    """Resolve, download and unpack the arm64 packages; returns their file names."""
    for part in ("state/lists/partial", "cache/archives/partial", "log"):
        (work / part).mkdir(parents=True)
    (work / "status").touch()
    kept = run(["apt-config", "dump"], "apt-config", 60).splitlines()
    (work / "apt.conf").write_text(
        "".join(f"{line}\n" for line in kept if line.startswith(KEPT_OPTIONS))
        + f'Dir::State "{work}/state"; Dir::State::status "{work}/status"; Dir::Cache "{work}/cache"; Dir::Log "{work}/log";\n'
        + 'Dir::Etc::parts "/dev/null"; Dir::Etc::main "/dev/null"; APT::Sandbox::User "root"; Acquire::Languages "none";\n'
        + 'APT::Architecture "arm64"; APT::Architectures { "arm64"; }; APT::Install-Recommends "false";\n'
    )
    options = {"env": {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}}
    run(["apt-get", "-q", "update"], "apt-get update (arm64)", TIMEOUT_S, **options)
    run(["apt-get", "-qy", "--download-only", "install", *PACKAGES], "apt-get download (arm64)", TIMEOUT_S, **options)
    archives = sorted((work / "cache" / "archives").glob("*.deb"))
    for archive in archives:
        run(["dpkg-deb", "-x", archive, root], f"unpacking {archive.name}", 120)
    if not (root / "lib").exists():  # Debian 13 has everything below usr; the link is made by a package left out here
        (root / "lib").symlink_to("usr/lib")
    return [archive.name for archive in archives]


def _unpack_wheels(work: Path, site: Path, python: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        work / "wheels",
    ]
    command += ["--python-version", python, *(f"--platform={tag}" for tag in MANYLINUX)]
    run([*command, *(f"{name}=={version}" for name, version in _versions().items())], "pip download (aarch64)", TIMEOUT_S)
    for wheel in (work / "wheels").glob("*.whl"):
        with ZipFile(wheel) as archive:
            archive.extractall(site)
