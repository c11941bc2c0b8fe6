"""The recommendation: of all configurations of a platform, the best for an objective that breaks no hard constraint.

Hard constraints are the user's, the device's own RAM and flash, and what its runtime executes. Limits are held against
the pessimistic end of each interval (`latency_ms_high`, `energy_mj_high`); objectives rank by the middle values.
"""

from pathlib import Path

import pandas as pd

from ..base.errors import UserError
from ..platforms.specs import load_platform
from .configurations import METRICS, load_configurations
from .constraints import assess, check_constraints
from .ranking import OBJECTIVES, check_objective
from .recommendation import Recommendation

__all__ = ["METRICS", "OBJECTIVES", "HardwareAwareDesignMethodology", "Recommendation"]


class HardwareAwareDesignMethodology:
    """Recommends a configuration from a table of them: the stored reference, a profile's, a CSV file or a data frame.

    Columns needed: variant, architecture, precision, platform, accuracy (0-1), latency_ms, ram_bytes, flash_bytes,
    size_bytes, energy_mj, evidence; used where present: <metric>_low, <metric>_high, <metric>_evidence. NaN is unknown.
    """

    def __init__(self, configurations: pd.DataFrame | str | Path | None = None):
        self.configurations = load_configurations(configurations)
        groups = self.configurations.groupby("platform", sort=False)
        self._tables = {str(name): table.reset_index(drop=True) for name, table in groups}

    def recommend_configuration(
        self,
        platform: str,
        objective: str | dict[str, float] = "balanced",
        custom_constraints: dict[str, float] | None = None,
    ) -> Recommendation:
        """The best configuration for `objective` that breaks nothing: latency, memory, energy, accuracy, balanced, or
        weights such as {"accuracy": 2, "energy": 1} (the least weighted distance from the best of each, see `ranking`).

        `custom_constraints`: latency_ms, memory_mb (RAM), size_mb (file), energy_mj (at most), accuracy (at least).
        UserError for an unknown platform, objective or constraint, or a negative limit; never a choice that breaks one.
        """
        wanted, spec = check_objective(objective), load_platform(platform)
        limits = check_constraints(custom_constraints)
        if platform not in self._tables:
            raise UserError(f"the table holds no configuration for {platform}: it holds {', '.join(sorted(self._tables))}.")
        table = self._tables[platform]
        return Recommendation(platform, wanted, limits, table, assess(table, spec, limits))

    def recommend_everywhere(
        self,
        objective: str | dict[str, float] = "balanced",
        custom_constraints: dict[str, float] | None = None,
        platforms: list[str] | None = None,
    ) -> dict[str, Recommendation]:
        """`recommend_configuration` for each of `platforms` (all of the table if None), by platform id."""
        wanted = list(self._tables) if platforms is None else platforms
        return {name: self.recommend_configuration(name, objective, custom_constraints) for name in wanted}
