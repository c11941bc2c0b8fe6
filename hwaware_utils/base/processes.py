"""Programs that others start (simulators, converters): none outlives its time, a failure is told in one sentence."""

import contextlib
import os
import shutil
import signal
import subprocess

from .errors import UserError


@contextlib.contextmanager
def started(command: list, **options):
    """`subprocess.Popen` in its own process group; whatever of the group still runs at the end of the block is killed."""
    process = subprocess.Popen([str(part) for part in command], start_new_session=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def run(command: list, what: str, timeout_s: float, text: str | None = None, **options) -> str:
    """Standard output of `command`. UserError naming `what` when it cannot start, fails, crashes or takes too long."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "replace"} | options
    try:
        with started(command, stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL, **options) as process:
            out, err = process.communicate(text, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"{what} took more than {timeout_s:g} s and was stopped: allow more time or a smaller model."
        ) from error
    except OSError as error:
        raise UserError(f"{what} cannot start ({error.strerror}: {command[0]}): install what apt.txt lists.") from error
    check_ended(process.returncode, what, err or out)
    return out


def check_ended(returncode: int, what: str, said: str | None) -> None:
    """UserError with the last line that the program said unless it ended well."""
    lines = [line for line in (said or "").splitlines() if line.strip()]
    last = lines[-1].strip()[:200] if lines else "it said nothing"
    if returncode < 0:
        raise UserError(f"{what} crashed ({signal.Signals(-returncode).name}; {last}).")
    if returncode:
        raise UserError(f"{what} failed with exit code {returncode} ({last}).")


def find_tool(*names: str, package: str) -> str:
    """The path of the first of these programs that is installed. UserError names the Debian package otherwise."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise UserError(f"the program {names[0]!r} is missing: run `make simulators` (Debian package {package}).")
