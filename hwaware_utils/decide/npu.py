"""An NPU beside the processor that it would relieve: Vela's estimate against the latency model, and where its cycles go."""

import pandas as pd

COLUMNS = ["variant", "npu_ms", "cpu_ms", "cpu_ms_low", "cpu_ms_high", "speedup", "macs", "macs_per_cycle",
           "depthwise_macs_share", "depthwise_cycles_share", "evidence"]  # fmt: skip


def compare_npu(simulations: pd.DataFrame, operators: pd.DataFrame, latency: pd.DataFrame, cpu: str) -> pd.DataFrame:
    """A row for each variant that Vela compiled as a whole: its time, the modelled time on the platform `cpu`, the ratio.

    `simulations`, `operators` (simulated_operators.csv) and `latency` are the tables of notebooks 04c and 04. The shares
    are of all operators' MACs and cycles; cycles of operators that overlap are counted twice, so the share is one of work,
    not of time. Empty when no variant was compiled.
    """
    npu = simulations[simulations["platform"].str.startswith("ethos_u")].dropna(subset=["latency_ms_low"])
    modelled = latency[(latency["platform"] == cpu) & latency["latency_ms"].notna()].set_index("variant")
    layers = operators[operators["on"] == "ethos_u"] if len(operators) else operators
    rows = []
    for row in npu[npu["variant"].isin(modelled.index)].itertuples():
        mine, other = layers[layers["variant"] == row.variant], modelled.loc[row.variant]
        depthwise = mine["operator"] == "DepthwiseConv2D"
        shares = {f"depthwise_{name}_share": mine.loc[depthwise, name].sum() / mine[name].sum() for name in ("macs", "cycles")}
        rows.append(
            {"variant": row.variant, "npu_ms": row.latency_ms_low, "cpu_ms": other["latency_ms"],
             "cpu_ms_low": other["latency_ms_low"], "cpu_ms_high": other["latency_ms_high"],
             "speedup": other["latency_ms"] / row.latency_ms_low, "macs": mine["macs"].sum(),
             "macs_per_cycle": mine["macs"].sum() / row.cycles_low, **shares, "evidence": "modelled"}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def sentence(table: pd.DataFrame, cpu: str) -> str:
    """What the table says, for the book; that there is nothing to say, when it is empty."""
    if table.empty:
        return "Vela, the compiler of the Ethos-U, was not run for this profile, so nothing is said about an NPU here."
    low, high = table["speedup"].min(), table["speedup"].max()
    macs, cycles = table["depthwise_macs_share"].mean(), table["depthwise_cycles_share"].mean()
    return (
        f"By Vela's estimate (modelled) an Ethos-U55 with 128 MACs a cycle takes {table['npu_ms'].min():.1f} to "
        f"{table['npu_ms'].max():.1f} ms, {low:.0f} to {high:.0f} times less than {cpu}. It reaches "
        f"{table['macs_per_cycle'].min():.0f} to {table['macs_per_cycle'].max():.0f} of its 128: depthwise "
        f"convolutions are {macs:.0%} of the MACs and {cycles:.0%} of the cycles."
    )
