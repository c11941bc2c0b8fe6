"""One row for simulations.csv: what every simulator says of a model, under the same names."""

import pandas as pd

from ..base.evidence import check_evidence

TYPES = {
    "variant": "str", "platform": "str", "simulator": "str", "instructions": "Int64", "cycles_low": "Int64",
    "cycles_high": "Int64", "latency_ms_low": "float64", "latency_ms_high": "float64", "outputs_compared": "Int64",
    "outputs_bit_exact": "Int64", "max_abs_diff": "float64", "evidence": "str",
}  # fmt: skip
COLUMNS = list(TYPES)


def summary_row(**values) -> pd.DataFrame:
    """One row with exactly `COLUMNS`, in that order; what a simulator does not know stays missing, never 0.

    `outputs_compared` and `outputs_bit_exact` count whole outputs (one an input), `max_abs_diff` is in steps of the
    output's own type (INT8: quantisation steps). ValueError for an unknown column or a missing or unknown `evidence`.
    """
    unknown = set(values) - set(COLUMNS)
    if unknown:
        raise ValueError(f"simulations.csv has no column {', '.join(sorted(unknown))}.")
    frame = pd.DataFrame({name: pd.Series([values.get(name)], dtype=kind) for name, kind in TYPES.items()})
    check_evidence(frame, "simulations")
    return frame
