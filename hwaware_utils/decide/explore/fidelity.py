"""From the brief training to the full one: log(error rate) after the full is a line in log(error rate) after the brief.

Fitted to the networks that were trained both ways. Three or more give a line (what was cut deeper gains more from a long
training), two a common ratio. Cheap runs as guides to dear ones: Kennedy and O'Hagan 2000,
https://doi.org/10.1093/biomet/87.1.1.
"""

from dataclasses import dataclass

import numpy as np

from ...base.errors import UserError


@dataclass(frozen=True)
class Fidelity:
    """log full = `middle` + `slope` (log brief - `centre`); `spread` of the residuals with `freedom` degrees of freedom."""

    slope: float = 1.0
    centre: float = 0.0
    middle: float = 0.0
    spread: float = 0.0
    freedom: int = 0
    count: int = 0
    scatter: float = 0.0

    def transfer(self, brief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log error rate after the full training, and the variance that the step itself adds."""
        away = brief - self.centre
        share = 1 + 1 / self.count + (away**2 / self.scatter if self.scatter else 0.0) if self.count else 0.0
        return self.middle + self.slope * away, self.spread**2 * share * np.ones_like(away)


def fit_fidelity(brief: np.ndarray, full: np.ndarray) -> Fidelity:
    """The step from `brief` to `full` log error rates of the same networks; none at all: no step. UserError for one.

    >>> step = fit_fidelity(np.array([-1.0, -2.0, -3.0]), np.array([-1.5, -2.0, -2.5]))
    >>> float(step.slope), float(step.transfer(np.array([-4.0]))[0][0])
    (0.5, -3.0)
    """
    count = len(brief)
    if not count:
        return Fidelity()
    if count == 1:
        raise UserError("one network trained briefly and fully says nothing of the spread: train at least two both ways.")
    centre, middle = float(brief.mean()), float(full.mean())
    scatter = float(((brief - centre) ** 2).sum())
    line = count > 2 and scatter > 0
    slope = float(((brief - centre) * (full - middle)).sum() / scatter) if line else 1.0
    residuals = full - middle - slope * (brief - centre)
    freedom = count - 1 - line
    return Fidelity(slope, centre, middle, float(np.sqrt((residuals**2).sum() / freedom)), freedom, count, scatter * line)
