"""Which technique pays on which platform: a change of the number format, or of the network, everything else left as it is."""

from itertools import product

import numpy as np
import pandas as pd

# kind -> the column that it changes, the column that stays as it is, where it starts
KINDS = {"format": ("precision", "architecture", "fp32"), "network": ("architecture", "precision", "baseline")}
RATIOS = ["speedup", "energy_saving", "ram_saving", "size_saving"]


def rank_techniques(gains: pd.DataFrame, configurations: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """Each technique on each platform, the one that speeds up most first.

    `gains`: `effectiveness.compare_optimisations`, ratios against baseline-fp32. `configurations` and `fits`: the tables of
    these names. A format is compared with FP32 of the same
    network, a network with the baseline in the same format, so the two do not mix; the ratio is the geometric mean over
    all partners that the platform can run or model, `speedup_low` and `_high` are the least and the greatest of them.
    Columns: platform, rank (nothing where the runtime refuses the technique), technique, kind (format or network),
    speedup with its range, energy_saving, ram_saving, size_saving, points (change of accuracy, mean), partners, n_fit (of
    the n variants with it, those that run on the device), n, evidence.
    """
    told = configurations[["variant", "platform", "architecture", "precision", "latency_ms_evidence"]]
    named = told.rename(columns={"latency_ms_evidence": "evidence"})
    table = gains.drop(columns="evidence").merge(named, on=["variant", "platform"])
    base = named[(named["architecture"] == "baseline") & (named["precision"] == "fp32")]
    table = pd.concat([table, base.assign(accuracy_change_points=0.0, **dict.fromkeys(RATIOS, 1.0))], ignore_index=True)
    placed, rows = fits.merge(named.drop(columns="evidence"), on=["variant", "platform"]), []
    for platform, (own, other, start) in product(dict.fromkeys(fits["platform"]), KINDS.values()):
        here, there = table[table["platform"] == platform], placed[placed["platform"] == platform]
        for technique in dict.fromkeys(there.loc[there[own] != start, own]):
            mine = there[there[own] == technique]
            gained = _compare(here[here[own] == technique].set_index(other), here[here[own] == start].set_index(other))
            counts = {"n_fit": int(mine["fits"].sum()), "n": len(mine)}
            rows.append({"platform": platform, "technique": technique, "kind": own} | gained | counts)
    ranked = pd.DataFrame(rows).replace({"kind": {own: kind for kind, (own, _, _) in KINDS.items()}})
    ranked.insert(1, "rank", ranked.groupby("platform")["speedup"].rank(ascending=False, method="min").astype("Int64"))
    ranked["order"] = ranked["platform"].map({name: k for k, name in enumerate(dict.fromkeys(fits["platform"]))})
    return ranked.sort_values(["order", "rank"], kind="stable").drop(columns="order").reset_index(drop=True)


def on_platform(ranking: pd.DataFrame, platform: str) -> pd.DataFrame:
    """The rows of one platform by technique; each technique without numbers where the ranking does not know the platform."""
    techniques = ranking["technique"].unique()
    return ranking[ranking["platform"] == platform].set_index("technique").reindex(techniques)


def _compare(with_it: pd.DataFrame, without: pd.DataFrame) -> dict:
    """What the technique changes, from its rows and those of the partners without it; both are indexed by what they share."""
    shared = with_it.index.intersection(without.index)
    ratios = with_it.loc[shared, RATIOS].astype(float) / without.loc[shared, RATIOS].astype(float)
    points = with_it.loc[shared, "accuracy_change_points"] - without.loc[shared, "accuracy_change_points"]
    known = {"evidence": with_it["evidence"].iloc[0] if len(shared) else "modelled"}
    return {
        **np.exp(np.log(ratios).mean()).to_dict(),
        "speedup_low": ratios["speedup"].min(),
        "speedup_high": ratios["speedup"].max(),
        "points": points.mean(),
        "partners": len(shared),
        **known,
    }
