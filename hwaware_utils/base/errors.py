"""The one exception for everything a user can put right: its text is the whole message."""

import difflib
import errno
import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 100
_PLACE = ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EEXIST", "ENAMETOOLONG", "ELOOP")


class UserError(Exception):
    """Bad input, told in one sentence: the value, what was expected, what to do. Commands exit with 2."""


def about_a_place(error: OSError) -> str | None:
    """One sentence for a full disk or a place that cannot be used; None for what is no such thing."""
    if error.errno not in [getattr(errno, name) for name in _PLACE]:
        return None
    where = f"{str(error.filename)!r} cannot be written or read" if error.filename else "a file cannot be written"
    return f"{where} ({error.strerror}): free it, name another place, or set HWAWARE_BUILD to a writable folder."


def nearest(name: str, known) -> str:
    """The end of an error sentence: the nearest known name, or all of them."""
    known = list(known)
    match = difflib.get_close_matches(str(name)[:80], known, n=1, cutoff=0.4)
    if match:
        return f" (did you mean {match[0]!r}?)."
    return f": use one of {', '.join(known[:20])}{f' and {len(known) - 20} others' if len(known) > 20 else ''}."


def shown(value) -> str:
    """`repr`, cut where a sentence would drown in it; a few lines of YAML can stand for a list of a billion.

    >>> shown("32"), len(shown("x" * 100000)) <= 102
    ("'32'", True)
    """
    text = _SHORT.repr(value)
    return text if len(text) <= 102 else text[:99] + "..."
