"""Which limits contradict each other: the smallest sets that no configuration keeps together."""

from itertools import combinations

import numpy as np

from .constraints import Assessment


def minimal_conflicts(assessment: Assessment, names: list[str]) -> list[tuple[str, ...]]:
    """Inclusion-minimal sets of the first limits (`names`, the user's) that nothing which runs on the device keeps together.

    The smallest come first. [()] if nothing runs on the device whatever the user wants, [] if everything can be had.
    A set of two means that each alone is possible.
    """
    keeps = ~assessment.broken
    runs = keeps[len(names) :].all(axis=0)
    found: list[tuple[int, ...]] = []
    for size in range(len(names) + 1):
        for chosen in combinations(range(len(names)), size):
            known = any(set(smaller) <= set(chosen) for smaller in found)
            if not known and not (runs & keeps[list(chosen)].all(axis=0)).any():
                found.append(chosen)
    return [tuple(names[k] for k in chosen) for chosen in found]


def conflict_sentence(answer) -> str:
    """What cannot be had, of an answer without a choice."""
    assessment, conflicts = answer.assessment, answer.conflicts
    if not conflicts:
        return ""
    if not conflicts[0]:
        return f"No configuration of the table runs on {answer.platform}, whatever the other limits."
    own = dict(zip(answer.constraints, zip(assessment.limits, assessment.bounds, strict=False), strict=False))
    wishes = [_wish(*own[name]) for name in conflicts[0]]
    if len(wishes) == 1:
        return f"No configuration that runs there reaches {wishes[0]}{_best(answer, conflicts[0][0])}."
    together = f"{', '.join(wishes[:-1])} and {wishes[-1]}"
    fewer = "each alone is possible" if len(wishes) == 2 else "any one of them left out makes the rest possible"
    return f"The limits contradict each other: no configuration that runs there reaches {together} together, though {fewer}."


def _wish(limit, bound: float) -> str:
    return f"{limit.label} of at {'least' if limit.at_least else 'most'} {limit.show(bound)}"


def _best(answer, name: str) -> str:
    """The best value of one quantity among what runs on the device."""
    position, own = list(answer.constraints).index(name), len(answer.constraints)
    limit, values = answer.assessment.limits[position], answer.assessment.held[position]
    known = values[~answer.assessment.broken[own:].any(axis=0) & ~np.isnan(values)]
    return f" (the best is {limit.show(known.max() if limit.at_least else known.min())})" if known.size else ""
