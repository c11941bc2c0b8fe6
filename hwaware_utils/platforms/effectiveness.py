"""Which optimisation helps where: every variant against the FP32 baseline of its own platform."""

import pandas as pd

from ..base.errors import UserError

REFERENCE = "baseline-fp32"
# metric -> the column of the result; each ratio is above 1 when the variant is better
RATIOS = {"latency_ms": "speedup", "energy_mj": "energy_saving", "ram_kib": "ram_saving", "size_bytes": "size_saving"}


def compare_optimisations(table: pd.DataFrame, reference: str = REFERENCE) -> pd.DataFrame:
    """A row for each variant and platform: `speedup, energy_saving, ram_saving, size_saving` (reference / variant, above 1 is
    better), `speedup_low, speedup_high` (the ends of both intervals against each other), `accuracy_change_points`, evidence.

    `table`: variant, platform, accuracy (0-1), latency_ms with _low and _high, energy_mj, ram_kib, size_bytes, evidence.
    Rows without a latency are left out. UserError when a platform lacks the reference.
    """
    running = table.dropna(subset=["latency_ms"])
    base = running[running["variant"] == reference].set_index("platform")
    lacking = sorted(set(running["platform"]) - set(base.index))
    if lacking:
        raise UserError(f"{lacking[0]} has no {reference} to compare with: it must run there, or name another reference.")
    own = base.loc[running["platform"]].reset_index(drop=True)
    rows = running.reset_index(drop=True)
    result = rows[["variant", "platform"]].assign(
        **{name: own[metric] / rows[metric] for metric, name in RATIOS.items()},
        speedup_low=own["latency_ms_low"] / rows["latency_ms_high"],
        speedup_high=own["latency_ms_high"] / rows["latency_ms_low"],
        accuracy_change_points=100 * (rows["accuracy"] - own["accuracy"]),
        evidence=rows["evidence"],
    )
    return result[result["variant"] != reference].reset_index(drop=True)
