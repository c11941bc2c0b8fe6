"""An NPU beside the processor that it would relieve: Vela's estimate against the latency model, and where its cycles go."""

import pandas as pd

COLUMNS = ["variant", "npu_ms", "cpu_ms", "cpu_ms_low", "cpu_ms_high", "speedup", "macs", "macs_per_cycle",
           "flash_bound_share", "depthwise_macs_share", "depthwise_cycles_share", "evidence"]  # fmt: skip


def compare_npu(simulations: pd.DataFrame, operators: pd.DataFrame, latency: pd.DataFrame, cpu: str) -> pd.DataFrame:
    """A row for each variant that Vela compiled as a whole: its time, the modelled time on the platform `cpu`, the ratio.

    `simulations`, `operators` (simulated_operators.csv) and `latency` are the tables of notebooks 04c and 04. The shares
    are of the sum over the operators; `flash_bound_share` is that of the cycles of operators which wait longest for their
    weights from flash. Empty when no variant was compiled.
    """
    npu = simulations[simulations["platform"].str.startswith("ethos_u")].dropna(subset=["latency_ms_low"])
    modelled = latency[(latency["platform"] == cpu) & latency["latency_ms"].notna()].set_index("variant")
    layers = operators[operators["on"] == "ethos_u"] if len(operators) else operators
    rows = []
    for row in npu[npu["variant"].isin(modelled.index)].itertuples():
        mine, other = layers[layers["variant"] == row.variant], modelled.loc[row.variant]
        waiting = mine["flash_cycles"] >= mine["cycles"].where(mine["cycles"] > 0)
        depthwise = mine["operator"] == "DepthwiseConv2D"
        shares = {f"depthwise_{name}_share": mine.loc[depthwise, name].sum() / mine[name].sum() for name in ("macs", "cycles")}
        rows.append(
            {"variant": row.variant, "npu_ms": row.latency_ms_low, "cpu_ms": other["latency_ms"],
             "cpu_ms_low": other["latency_ms_low"], "cpu_ms_high": other["latency_ms_high"],
             "speedup": other["latency_ms"] / row.latency_ms_low, "macs": mine["macs"].sum(),
             "macs_per_cycle": mine["macs"].sum() / row.cycles_low, **shares,
             "flash_bound_share": mine.loc[waiting, "cycles"].sum() / mine["cycles"].sum(), "evidence": "modelled"}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def sentence(table: pd.DataFrame, cpu: str) -> str:
    """What the table says, for the book; that there is nothing to say, when it is empty."""
    if table.empty:
        return f"This profile has no estimate of Vela, the compiler of the Ethos-U, or no {cpu} beside it: no NPU here."
    faster, waiting = table["speedup"], table["flash_bound_share"]
    told = (
        f"By Vela's estimate (modelled) an Ethos-U55 with 128 MACs a cycle takes {table['npu_ms'].min():.1f} to "
        f"{table['npu_ms'].max():.1f} ms and is {faster.min():.0f} to {faster.max():.0f} times as fast as {cpu}. It reaches "
        f"{table['macs_per_cycle'].min():.0f} to {table['macs_per_cycle'].max():.0f} of its 128: {waiting.min():.0%} to "
        f"{waiting.max():.0%} of the cycles go to operators that wait for their weights from flash."
    )
    fewer = " There, fewer bytes of weights would help where more multipliers would not."
    return told + (fewer if waiting.min() > 0.5 else "")
