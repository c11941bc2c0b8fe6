"""From the brief training to a longer one: the error rate falls as a power of the images seen.

log(error rate) after = log(error rate) before + rate x log(images seen after / before), the learning curve of Hestness et
al. 2017 (https://arxiv.org/abs/1712.00409). The rate is read from the networks that were trained both ways. Three or more
give a line (what was cut deeper gains more from a long training), two their mean.
"""

from dataclasses import dataclass

import numpy as np

from ...base.errors import UserError


@dataclass(frozen=True)
class Fidelity:
    """rate = `middle` + `slope` (log error rate before - `centre`); `spread` of its residuals with `freedom` degrees of
    freedom. `longer` is log(images seen after / before) of the training that is asked about."""

    slope: float = 0.0
    centre: float = 0.0
    middle: float = 0.0
    spread: float = 0.0
    freedom: int = 0
    count: int = 0
    scatter: float = 0.0
    longer: float = 0.0

    def transfer(self, brief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log error rate after the longer training, and the variance that the step itself adds."""
        away = brief - self.centre
        share = 1 + 1 / self.count + (away**2 / self.scatter if self.scatter else 0.0) if self.count else 0.0
        rate = self.middle + self.slope * away
        return brief + rate * self.longer, (self.spread * self.longer) ** 2 * share * np.ones_like(away)

    @property
    def passed_on(self) -> float:
        """What a change of the log error rate before changes in the one after."""
        return 1 + self.slope * self.longer


def fit_fidelity(brief: np.ndarray, full: np.ndarray, longer: np.ndarray, asked: float) -> Fidelity:
    """The step from `brief` to `full` log error rates of the same networks, which saw exp(`longer`) times the images;
    `asked` is the `longer` of the training to predict. No networks: no step. UserError for one.

    >>> step = fit_fidelity(np.array([-1.0, -2.0]), np.array([-1.5, -2.3]), np.array([1.0, 1.0]), 2.0)
    >>> round(float(step.transfer(np.array([-3.0]))[0][0]), 6)  # twice the mean rate of -0.4
    -3.8
    """
    count = len(brief)
    if not count:
        return Fidelity()
    if count == 1:
        raise UserError("one network trained briefly and fully says nothing of the spread: train at least two both ways.")
    if not (longer > 0).all() or asked <= 0:
        raise UserError("the full training sees no more images than the brief one: raise its epochs, or lower explore_epochs.")
    rate = (full - brief) / longer
    centre, middle = float(brief.mean()), float(rate.mean())
    scatter = float(((brief - centre) ** 2).sum())
    line = count > 2 and scatter > 0
    slope = float(((brief - centre) * (rate - middle)).sum() / scatter) if line else 0.0
    residuals = rate - middle - slope * (brief - centre)
    freedom = count - 1 - line
    spread = float(np.sqrt((residuals**2).sum() / freedom))
    return Fidelity(slope, centre, middle, spread, freedom, count, scatter * line, float(asked))
