"""The one exception for everything a user can put right: its text is the whole message."""

import difflib


class UserError(Exception):
    """Bad input, told in one sentence: the value, what was expected, what to do. Commands exit with 2."""


def nearest(name: str, known) -> str:
    """The end of an error sentence: the nearest known name, or all of them."""
    match = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f" (did you mean {match[0]!r}?)." if match else f": use one of {', '.join(known)}."
