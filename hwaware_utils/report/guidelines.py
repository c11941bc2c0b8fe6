"""optimization_guidelines.md: which optimisation pays on which platform, by how much, and how that is known.

Everything is computed from the result tables, sentences included, so that the file changes with them.
"""

import pandas as pd

from .encodings import PRECISIONS
from .tables import NOTHING, format_value, show_table

NEEDS = ("variants", "effectiveness", "fits", "configurations", "recommendations")
SAME, ABOUT = 0.05, 0.2  # a ratio this close to 1 is no change; a range this close to 1 says so
NAMES = {
    "fp16": "FP16 weights", "dynamic": "dynamic-range INT8", "int8_ptq": "INT8, quantised after training",
    "int8_qat": "INT8, quantisation-aware", "mixed": "INT8 with some layers in float",
}  # fmt: skip
OBJECTIVES = {"variant": "variant", "accuracy": "accuracy", "latency_ms": "latency, ms", "energy_mj": "energy, mJ",
              "ram_bytes": "RAM, bytes", "flash_bytes": "flash, bytes"}  # fmt: skip


def guidelines(tables: dict[str, pd.DataFrame]) -> str:
    """The guidelines as Markdown that needs no other file. `tables` holds those that `NEEDS` names."""
    changes = single_changes(tables)
    platforms = list(dict.fromkeys(tables["fits"]["platform"]))
    data, count = tables["variants"]["dataset"].iloc[0], len(tables["variants"])
    lines = [
        "# Optimisation guidelines", "",
        f"Computed from the result tables: {count} variants of a network trained on {data}, {len(platforms)} platforms. One "
        "change at a time, against the FP32 baseline on the same platform; more than 1 is better in every ratio. The range "
        "of a speed-up takes the errors of both latencies as independent, which makes it wide: *probably faster* has a range "
        "that reaches down to no gain, *not known* one that reaches far to both sides. Energy, RAM and flash are modelled. "
        "(The report's ranking of techniques asks another question: there a ratio is the mean over all networks, or formats, "
        "in which the change can be made.)",
        "", "## In short", "", *in_short(changes), "",
    ]  # fmt: skip
    for platform in platforms:
        lines += [f"## {platform}", "", *_platform(changes[changes["platform"] == platform])]
        lines += _recommended(tables["recommendations"], platform)
    return "\n".join(lines).rstrip() + "\n"


def single_changes(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of `effectiveness` of variants that differ from baseline-fp32 in one thing, the pairs that are in no such
    row because the platform refuses them included (speedup is NaN).

    Columns: platform, technique, speedup with _low and _high, energy_saving, ram_saving, size_saving,
    accuracy_change_points, n_fit of n variants with the technique that run there, why_not (of the variant with this one
    change), verdict, evidence (of the latency).
    """
    kept = ["variant", "architecture", "precision"]
    one = tables["variants"][kept]
    one = one[(one["architecture"] == "baseline") != (one["precision"] == "fp32")]
    placed = tables["fits"].merge(tables["variants"][kept], on="variant")
    known = tables["configurations"][["variant", "platform", "latency_ms_evidence"]]
    rows = one.merge(placed[["variant", "platform", "why_not"]], on="variant")
    gains = tables["effectiveness"].drop(columns=["evidence"])
    rows = rows.merge(gains, on=["variant", "platform"], how="left").merge(known, on=["variant", "platform"], how="left")
    is_format = rows["architecture"] == "baseline"
    rows["technique"] = rows["precision"].where(is_format, rows["architecture"])
    shares = [
        placed.loc[(placed["platform"] == row.platform) & (placed[own] == row.technique), "fits"].astype(bool)
        for row, own in zip(rows.itertuples(), is_format.map({True: "precision", False: "architecture"}), strict=True)
    ]
    rows["n_fit"], rows["n"] = [int(fits.sum()) for fits in shares], [len(fits) for fits in shares]
    rows["verdict"] = [verdict(row.speedup, row.speedup_low, row.speedup_high) for row in rows.itertuples()]
    rows["why_not"] = rows["why_not"].fillna("")
    return rows.rename(columns={"latency_ms_evidence": "evidence"}).drop(columns=["architecture", "precision"])


def verdict(speedup: float, low: float, high: float) -> str:
    """What a ratio of time and its range amount to.

    >>> verdict(3.1, 1.9, 5.0), verdict(1.0, 0.9, 1.2), verdict(0.3, 0.28, 0.33)
    ('faster', 'as fast', 'slower')
    >>> verdict(1.7, 0.7, 4.3), verdict(1.0, 0.3, 3.2), verdict(float("nan"), 1, 1)
    ('probably faster', 'not known', 'does not run')
    """
    if speedup != speedup:
        return "does not run"
    if low > 1 + SAME:
        return "faster"
    if high < 1 - SAME:
        return "slower"
    if low >= 1 - ABOUT and high <= 1 + ABOUT:
        return "as fast"
    if abs(speedup - 1) <= SAME:
        return "not known"
    return "probably faster" if speedup > 1 else "probably slower"


def in_short(changes: pd.DataFrame) -> list[str]:
    """A bullet for each technique: where it is faster, where not, what it costs in accuracy."""
    lines = []
    for technique, rows in changes.groupby("technique", sort=False):
        told = []
        for name, some in rows.groupby("verdict", sort=False):
            ratios = [f"{row.platform}{'' if row.speedup != row.speedup else f' (x {row.speedup:.2f})'}"
                      for row in some.itertuples()]  # fmt: skip
            told.append(f"{name} on {', '.join(ratios)}")
        running = rows.dropna(subset=["speedup"])
        cost = f"; {running['accuracy_change_points'].iloc[0]:+.2f} points of accuracy, file / " \
               f"{running['size_saving'].iloc[0]:.2f}" if len(running) else ""  # fmt: skip
        lines.append(f"- **{_name(technique)}**: {'; '.join(told)}{cost}.")
    return lines


def _platform(changes: pd.DataFrame) -> list[str]:
    """The table of a platform, the fastest technique first, and the reasons for what does not run there."""
    ordered = changes.sort_values("speedup", ascending=False, kind="stable", na_position="last")
    table = pd.DataFrame({
        "change": ordered["technique"].map(_name),
        "time": ordered["verdict"],
        "speed-up": [_ratio(row.speedup, row.speedup_low, row.speedup_high) for row in ordered.itertuples()],
        "energy": ordered["energy_saving"].map(_ratio),
        "RAM": ordered["ram_saving"].map(_ratio),
        "file": ordered["size_saving"].map(_ratio),
        "points": [NOTHING if x != x else f"{x:+.2f}" for x in ordered["accuracy_change_points"]],
        "run there": [f"{row.n_fit} of {row.n}" for row in ordered.itertuples()],
        "latency is": ordered["evidence"].fillna(NOTHING),
    })  # fmt: skip
    reasons = [f"- {_name(row.technique)} alone does not do: {row.why_not}." for row in ordered.itertuples() if row.why_not]
    return [*show_table(table).to_markdown().splitlines(), ""] + ([*reasons, ""] if reasons else [])


def _recommended(recommendations: pd.DataFrame, platform: str) -> list[str]:
    """What the methodology recommends there, a row an objective."""
    here = recommendations[(recommendations["platform"] == platform) & recommendations["fits"].astype(bool)]
    if here.empty:
        return ["No variant meets the limits here.", ""]
    rows = []
    for (objective, variant), part in here.groupby(["objective", "variant"], sort=False):
        known = part.set_index("quantity")
        row = {"objective": objective, "variant": variant}
        for quantity, title in list(OBJECTIVES.items())[1:]:
            found = known.loc[quantity] if quantity in known.index else None
            row[title] = NOTHING if found is None else _value(found, quantity)
        latency = known["evidence"].get("latency_ms", NOTHING)
        rows.append(row | {"latency is": latency})
    return ["Recommended:", "", *show_table(pd.DataFrame(rows)).to_markdown().splitlines(), ""]


def _name(technique: str) -> str:
    return NAMES.get(technique, technique if technique in PRECISIONS else f"the {technique} network")


def _ratio(middle: float, low: float = float("nan"), high: float = float("nan")) -> str:
    if middle != middle:
        return NOTHING
    return f"{middle:.2f}" if low != low else f"{middle:.2f} ({low:.2f}–{high:.2f})"


def _value(row: pd.Series, quantity: str) -> str:
    """A number with its interval, if it has both ends."""
    middle, low, high = (format_value(float(row[name]), quantity) for name in ("value", "low", "high"))
    return middle if NOTHING in (low, high) else f"{middle} ({low}–{high})"
