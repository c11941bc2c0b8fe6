"""What to deploy where, on one page: the recommendations as a table, a row a platform and variant."""

import pandas as pd

QUANTITIES = ["accuracy", "latency_ms", "latency_ms_low", "latency_ms_high", "energy_mj", "ram_kib", "flash_kib"]


def summarise(recommendations: pd.DataFrame) -> pd.DataFrame:
    """recommendations.csv with one row for each platform and variant that wins there, and the objectives that it wins.

    Columns: platform, objectives, variant, `QUANTITIES`, evidence (of the latency), accuracy_evidence. A platform on which
    nothing fits is missing.
    """
    wide = recommendations[recommendations["fits"].astype(bool)].set_index(["platform", "objective", "variant", "quantity"])
    rows = []
    for (platform, variant), part in wide.groupby(["platform", "variant"], sort=False):
        goals = list(dict.fromkeys(part.index.get_level_values("objective")))
        one = part.xs(goals[0], level="objective").droplevel(["platform", "variant"])
        told = {
            "accuracy": one.loc["accuracy", "value"],
            "latency_ms": one.loc["latency_ms", "value"],
            "latency_ms_low": one.loc["latency_ms", "low"],
            "latency_ms_high": one.loc["latency_ms", "high"],
            "energy_mj": one.loc["energy_mj", "value"],
            "ram_kib": one.loc["ram_bytes", "value"] / 1024,
            "flash_kib": one.loc["flash_bytes", "value"] / 1024,
        }
        evidence = {"evidence": one.loc["latency_ms", "evidence"], "accuracy_evidence": one.loc["accuracy", "evidence"]}
        rows.append({"platform": platform, "objectives": ", ".join(goals), "variant": variant, **told, **evidence})
    return pd.DataFrame(rows, columns=["platform", "objectives", "variant", *QUANTITIES, "evidence", "accuracy_evidence"])
