"""What limits each configuration: the resource that it uses most, if it is near its limit at all."""

from collections.abc import Mapping

import pandas as pd

from ..platforms.headroom import energy_shares, heat_share, memory_shares
from ..platforms.utilization import COLUMNS, estimate_utilization
from ..platforms.utilization_constants import near_limit
from ..simulate.utilization import prefer_simulated, simulated_utilization

KEY = ["variant", "platform"]
LIMITS = ("time", "space", "heat")
NONE = "none near its limit: overhead"


def survey_utilization(
    variants: pd.DataFrame,
    workloads: Mapping[str, pd.DataFrame],
    latencies: pd.DataFrame,
    memories: pd.DataFrame,
    fits: pd.DataFrame,
    parts: pd.DataFrame,
    simulated: dict[str, pd.DataFrame],
) -> pd.DataFrame:
    """`utilization.csv`: a row (COLUMNS) for each resource of each pair of variant and platform that runs.

    The tables are those of notebooks 03 (variants), 04 (latency), 04b (memory, fits, energy_breakdown) and 04c
    (`simulate.utilization.load_simulated`). A pair that does not fit uses nothing and is left out.
    """
    running = set(map(tuple, fits.loc[fits["fits"], KEY].values))

    def kept(table: pd.DataFrame) -> pd.DataFrame:
        return table[[pair in running for pair in map(tuple, table[KEY].values)]]

    rows = kept(latencies).to_dict("records")
    tables = [table for row in rows for table in (estimate_utilization(workloads[row["variant"]], row), heat_share(row))]
    tables += [memory_shares(row) for row in kept(memories).to_dict("records")]
    modelled = pd.concat([*tables, energy_shares(kept(parts))], ignore_index=True)
    table = prefer_simulated(modelled, simulated_utilization(simulated, latencies))
    order = {name: place for place, name in enumerate(variants["variant"])}
    return table.sort_values(["platform", "variant"], key=lambda c: c.map(order) if c.name == "variant" else c, kind="stable")[
        COLUMNS
    ].reset_index(drop=True)


def find_bottlenecks(utilization: pd.DataFrame) -> pd.DataFrame:
    """A row per pair: `variant, platform, bottleneck, resource, utilization, utilization_low, utilization_high, unexplained,
    certain, evidence`.

    Candidates are the resources that limit: time, space and heat (a cache is meant to be full and is none). `resource` is
    the most used of those that reach `near_limit`, and then `bottleneck` is the same; where none does, the most used
    of those of time, and `bottleneck` is NONE. `certain`: the intervals say so too.
    """
    near = near_limit()
    limiting = utilization[utilization["kind"].isin(LIMITS) & (utilization["resource"] != "cache_space")]
    limiting = limiting.dropna(subset=["utilization"])
    reaching = limiting["utilization"] >= near
    ranked = limiting[reaching | (limiting["kind"] == "time")].sort_values("utilization", ascending=False, kind="stable")
    best = ranked.drop_duplicates(KEY).set_index(KEY)
    most = limiting.groupby(KEY)["utilization_high"].max().reindex(best.index)
    left = utilization[utilization["resource"] == "unexplained"].set_index(KEY)["utilization"]
    limited = best["utilization"] >= near
    table = best.assign(
        bottleneck=best["resource"].where(limited, NONE),
        unexplained=left.reindex(best.index),
        certain=(best["utilization_low"] >= near).where(limited, most < near),
    )
    columns = [
        "bottleneck",
        "resource",
        "utilization",
        "utilization_low",
        "utilization_high",
        "unexplained",
        "certain",
        "evidence",
    ]
    pairs = utilization.drop_duplicates(KEY).set_index(KEY).index
    return table.reindex(pairs)[columns].reset_index()
