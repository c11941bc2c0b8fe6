"""The model in a browser: LiteRT.js in headless Chromium, on WebAssembly and on WebGPU."""

from .litertjs import set_up_browser
from .simulation import BrowserRun, simulate

__all__ = ["BrowserRun", "set_up_browser", "simulate"]
