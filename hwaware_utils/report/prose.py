"""Numbers for the sentences of a page: glued by the notebook that computed them, never typed."""

from myst_nb import glue


def glue_numbers(numbers: dict) -> None:
    """Glue each value under its name, as a plain Python value: a NumPy scalar's repr cannot be formatted in a sentence."""
    for name, value in numbers.items():
        glue(name, value.item() if hasattr(value, "item") else value, display=False)
