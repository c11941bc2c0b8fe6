"""A PostgreSQL server of our own, for a while: on loopback, in a temporary folder, behind a random password.

PostgreSQL refuses to run as root: then it runs as the user `postgres` that the Debian package makes.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...base.errors import UserError

DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Server:
    """A server that can be stopped and started again. `url` is what `--storage` takes."""

    binaries: Path
    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://hwaware:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c max_connections=50"
        _run([self.binaries / "pg_ctl", "-D", self.folder / "data", "-o", options, "-l", self.folder / "log", "-w", "start"])

    def stop(self) -> None:
        """At once, connections cut, as a crash would."""
        _run([self.binaries / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop"])


@contextlib.contextmanager
def local_postgres() -> Iterator[Server]:
    """A running server; stopped, and its folder removed, at the end. UserError when PostgreSQL is not installed."""
    binaries = find_postgres()
    if binaries is None:
        raise UserError("PostgreSQL is not installed: apt-get install postgresql.")
    folder = Path(tempfile.mkdtemp(prefix="hwaware-postgres-"))
    server = Server(binaries, folder, _free_port(), secrets.token_hex(8))
    try:
        secret = folder / "password"
        secret.write_text(server.password)
        if os.geteuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        account = ["--username=hwaware", "--auth=scram-sha-256", f"--pwfile={secret}"]
        _run([binaries / "initdb", "-D", folder / "data", "-E", "UTF8", "--locale=C", *account])
        server.start()
        yield server
    finally:
        with contextlib.suppress(UserError):  # it may have been stopped, or never started
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def find_postgres() -> Path | None:
    """The folder with initdb and pg_ctl: Debian's newest, or the PATH's; None when there is none."""
    folders = sorted(DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = next((path for path in folders if (path / "initdb").is_file()), None)
    on_path = shutil.which("initdb")
    return found or (Path(on_path).resolve().parent if on_path else None)


def _run(command: list) -> None:
    command = [str(part) for part in command]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"PostgreSQL does not run: {last}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
