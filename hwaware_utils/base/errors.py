"""The one exception for everything a user can put right: its text is the whole message."""


class UserError(Exception):
    """Bad input, told in one sentence: the value, what was expected, what to do. Commands exit with 2."""
