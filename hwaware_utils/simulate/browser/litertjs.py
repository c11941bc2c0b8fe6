"""LiteRT.js and the browser that runs it: the first from npm into a cache folder, the second from Debian."""

import json
import shutil
import tempfile
from pathlib import Path

from ...base.errors import UserError
from ...base.processes import find_tool, run
from ..cache import cache_dir

HERE = Path(__file__).parent
PACKAGES = ("package.json", "package-lock.json")  # the lock holds checksums, no address
TIMEOUT_S = 600


def modules_dir() -> Path:
    return cache_dir() / "browser" / "node_modules"


def litertjs_version() -> str:
    """The version of @litertjs/core that package.json pins."""
    return json.loads((HERE / "package.json").read_text())["dependencies"]["@litertjs/core"]


def find_litertjs() -> Path:
    """The folder `node_modules` with the pinned LiteRT.js. UserError when it must be set up (anew)."""
    try:
        found = json.loads((modules_dir() / "@litertjs" / "core" / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError("LiteRT.js is not set up on this machine: run `make simulators`.") from error
    if found != litertjs_version():
        raise UserError(f"LiteRT.js {found} is set up, {litertjs_version()} is needed: run `make simulators`.")
    return modules_dir()


def find_chromium() -> str:
    """The path of Chromium. UserError names the Debian package when there is none."""
    return find_tool("chromium", "chromium-browser", "google-chrome", package="chromium")


def set_up_browser(say=print) -> Path:
    """`set_up_litertjs`, for the simulation: UserError when Chromium is missing, too."""
    find_chromium()
    return set_up_litertjs(say)


def set_up_litertjs(say=print) -> Path:
    """Install the pinned LiteRT.js (38 MB) unless it is there, no script of the packages run; returns `find_litertjs()`.

    UserError in one sentence when npm is missing or the registry cannot be reached; nothing half-made is left.
    """
    try:
        return find_litertjs()
    except UserError:
        pass
    npm = find_tool("npm", package="npm")
    folder = modules_dir().parent
    folder.mkdir(parents=True, exist_ok=True)
    say(f"browser: LiteRT.js {litertjs_version()} ...")
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as making:
        for name in PACKAGES:
            shutil.copy(HERE / name, making)
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", f"--cache={making}/.npm"]
        run([npm, "ci", *flags], "npm (LiteRT.js)", TIMEOUT_S, cwd=making)
        shutil.rmtree(modules_dir(), ignore_errors=True)
        (Path(making) / "node_modules").rename(modules_dir())
    say(f"browser: ready in {modules_dir()}")
    return find_litertjs()
