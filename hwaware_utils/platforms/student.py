"""Quantiles of Student's t for whole degrees of freedom. Written out: importing scipy takes longer than a prediction."""

import math
from functools import lru_cache


def central_probability(t: float, freedom: int) -> float:
    """P(|T| < t), Abramowitz and Stegun 26.7.3 and 26.7.4 with theta = atan(t / sqrt(freedom)).

    >>> round(central_probability(1.0, 1), 3)  # the Cauchy distribution: half lies within 1
    0.5
    """
    theta = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = freedom % 2
    term = total = (cosine if odd else 1.0) if freedom > 1 else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (theta + sine * total) if odd else sine * total


@lru_cache(maxsize=256)
def student_factor(freedom: int, coverage: float) -> float:
    """The t with P(|T| < t) = `coverage` (0 to 1, exclusive). ValueError for less than one degree of freedom.

    >>> round(student_factor(2, 0.9), 4), round(student_factor(5, 0.9), 4)
    (2.92, 2.015)
    """
    if freedom < 1 or not 0 < coverage < 1:
        raise ValueError(f"no Student's t with {freedom} degrees of freedom for a coverage of {coverage}.")
    low, high = 0.0, 1.0
    while central_probability(high, freedom) < coverage:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if central_probability(middle, freedom) < coverage else (low, middle)
    return high
