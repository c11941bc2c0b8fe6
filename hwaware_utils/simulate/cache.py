"""Where downloaded tools are kept."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """HWAWARE_CACHE, or `hwaware` in the user's cache folder (XDG_CACHE_HOME)."""
    own = os.environ.get("HWAWARE_CACHE")
    return Path(own).expanduser() if own else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hwaware"
