"""How a utilisation above 1 arises: the same speed held against three peaks, of which one is the machine's.

A FLOP is half a MAC, and an integer unit multiplies more numbers a cycle than a floating-point unit: whoever divides by
the peak of another operation or of another number format gets the ratio of two machines, not a share of one.
"""

import math

import pandas as pd

from .roofline import peak_gmacs_s
from .specs import ARITHMETIC, load_platform
from .utilization_constants import load_claim

FLOPS_A_MAC = 2


def three_shares(gmacs_s: float, platform: str, arithmetic: str, claimed_gflops: float, threads: int = 1) -> dict:
    """`flop_share` (FLOP/s over a claimed peak), `float_share` (MAC/s over the FP32 peak), `share` (over the peak of the
    arithmetic that runs) of a speed in 1e9 MAC/s.

    >>> {name: round(share, 2) for name, share in three_shares(76.8, "apple_m1", "int8", 50).items()}
    {'flop_share': 3.07, 'float_share': 1.5, 'share': 0.37}
    """
    spec = load_platform(platform)
    return {
        "flop_share": FLOPS_A_MAC * gmacs_s / claimed_gflops,
        "float_share": gmacs_s / peak_gmacs_s(spec, "fp32", threads),
        "share": gmacs_s / peak_gmacs_s(spec, arithmetic, threads),
    }


def compare_denominators(latencies: pd.DataFrame) -> pd.DataFrame:
    """The reference report's figures and the same variants of this study on the same platform, by three denominators.

    `latencies` is the table of `estimate_latencies`. Columns: source, model, gmacs_s, flop_share, float_share, share (of one
    core), cores (the fewest that could be as fast), evidence. Shares above 1 are the point of this table.
    """
    claim, theirs = load_claim()
    rows = [
        {"source": claim["source"], "model": row.model, "arithmetic": row.arithmetic, "evidence": "published"}
        | {"gmacs_s": row.flops_m / FLOPS_A_MAC / row.latency_ms}
        for row in theirs.itertuples()
    ]
    own = latencies[(latencies["platform"] == claim["platform"]) & latencies["precision"].isin(["fp32", "int8_ptq"])]
    rows += [
        {"source": "this study", "model": row.variant, "arithmetic": ARITHMETIC[row.precision], "evidence": row.evidence}
        | {"gmacs_s": row.throughput_gmacs_s}
        for row in own.itertuples()
    ]
    columns = ["source", "model", "gmacs_s", "flop_share", "float_share", "share", "cores", "evidence"]
    told = [row | three_shares(row["gmacs_s"], claim["platform"], row["arithmetic"], claim["peak_gflops"]) for row in rows]
    table = pd.DataFrame(told)
    return table.assign(cores=table["share"].map(math.ceil))[columns]
