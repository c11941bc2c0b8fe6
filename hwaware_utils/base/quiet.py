"""What a notebook's output must not show: native notices, and progress bars when nobody watches."""

import contextlib
import io
import os
import warnings

from tqdm import tqdm


@contextlib.contextmanager
def quiet():
    """Silence standard error, Python's and the file descriptor's: native libraries ignore every log level."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def progress(steps, what: str):
    """`steps` behind a progress bar, but for headless runs, whose outputs go into the book."""
    return tqdm(steps, desc=what, leave=False, disable="HWAWARE_HEADLESS" in os.environ)
