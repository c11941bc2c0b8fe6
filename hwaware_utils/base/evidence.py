"""The six ways in which a number of this report can be known."""

import pandas as pd

EVIDENCE = {
    "measured": "ran on this host, for this build",
    "recorded": "measured or simulated earlier; stored with host, commit and date",
    "simulated": "the real program, executed in a simulator",
    "modelled": "a formula or a fitted model",
    "published": "somebody else's measurement, cited",
    "assumed": "a stated assumption",
}

# One mark shape for each kind, in every chart (Vega's names).
SHAPES = dict(zip(EVIDENCE, ("circle", "square", "triangle-up", "diamond", "cross", "stroke"), strict=True))


def check_evidence(frame: pd.DataFrame, name: str) -> None:
    """Raise ValueError unless every row of `frame` says how its numbers are known."""
    if "evidence" not in frame:
        raise ValueError(f"table {name!r} has no column 'evidence'.")
    unknown = set(frame["evidence"].unique()) - set(EVIDENCE)
    if unknown:
        raise ValueError(f"table {name!r} holds the evidence {unknown}: expected one of {', '.join(EVIDENCE)}.")
