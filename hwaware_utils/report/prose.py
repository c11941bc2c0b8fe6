"""Numbers for the sentences of a page: glued by the notebook that computed them, never typed."""

import math

from myst_nb import glue


def glue_numbers(numbers: dict) -> None:
    """Glue each value under its name, as a plain Python value: a NumPy scalar's repr cannot be formatted in a sentence.

    None and NaN stand for a number that this run does not have, such as one of a platform that the profile leaves out: the
    page shows a dash (`book.MissingNumbers`).
    """
    for name, value in numbers.items():
        plain = value.item() if hasattr(value, "item") else value
        glue(name, math.nan if plain is None else plain, display=False)
