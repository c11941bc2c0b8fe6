"""The energy model against published energies that it did not see. Latency is taken as published: only the power is tried."""

from collections.abc import Iterator

import pandas as pd

from .power import (
    across_factor,
    borrow_power,
    geometric_mean,
    load_published_power,
    microcontroller_rows,
    spread_factor,
    submission_powers,
)

COLUMNS = [
    *("platform", "submission", "model", "alpha", "resolution", "precision", "threads", "published_mj", "predicted_mj"),
    *("relative_error", "low", "high", "covered", "split", "evidence"),
]


def energy_validation() -> pd.DataFrame:
    """A row per published energy and split: `platform, submission, model, alpha, resolution, precision, threads,
    published_mj, predicted_mj, relative_error, low, high, covered, split, evidence`; `platform` is the board that was metered.

    Splits: `same submission` (the other networks of the submission give the power), `across submissions` (the submission is
    left out whole) and `leave one alpha out` (application board: the networks with other width multipliers).
    """
    tiny = microcontroller_rows()
    board = load_published_power()
    board = board[~board["source"].isin(tiny["source"])].reset_index(drop=True)
    rows = [*_same_submission(tiny), *_across_submissions(tiny), *_leave_alpha_out(board)]
    return pd.DataFrame(rows, columns=COLUMNS)


def summarise_energy_validation(table: pd.DataFrame) -> pd.DataFrame:
    """A row per split: `split, submissions, rows, mean_abs_error, max_abs_error, coverage, evidence`."""
    groups = table.assign(error=table["relative_error"].abs()).groupby("split", sort=False)
    summary = groups.agg(
        submissions=("submission", "nunique"),
        rows=("error", "size"),
        mean_abs_error=("error", "mean"),
        max_abs_error=("error", "max"),
        coverage=("covered", "mean"),
    )
    return summary.reset_index().assign(evidence="modelled")


def _same_submission(rows: pd.DataFrame) -> Iterator[dict]:
    for position, row in rows.iterrows():
        others = rows.drop(index=position)
        known = others.loc[others["submission"] == row["submission"], "power_w"]
        if len(known):
            yield _compare(row, geometric_mean(known), spread_factor(others, len(known)), "same submission")


def _across_submissions(rows: pd.DataFrame) -> Iterator[dict]:
    powers = submission_powers(rows)
    for position, held_out in powers.iterrows():
        rest = powers.drop(index=position).reset_index(drop=True)
        power_w, _ = borrow_power(rest, held_out["version"])
        for _, row in rows[rows["submission"] == held_out["submission"]].iterrows():
            yield _compare(row, power_w, across_factor(rest), "across submissions")


def _leave_alpha_out(rows: pd.DataFrame) -> Iterator[dict]:
    for (submission, alpha), held_out in rows.groupby(["submission", "alpha"]):
        others = rows[(rows["submission"] == submission) & (rows["alpha"] != alpha)]
        power_w, factor = geometric_mean(others["power_w"]), spread_factor(others, len(others))
        for _, row in held_out.iterrows():
            yield _compare(row, power_w, factor, "leave one alpha out")


def _compare(row: pd.Series, power_w: float, factor: float, split: str) -> dict:
    published, predicted = row["energy_uj"] / 1e3, power_w * row["latency_ms"]
    low, high = predicted / factor, predicted * factor
    kept = {name: row[name] for name in ("submission", "model", "alpha", "resolution", "precision", "threads")}
    return kept | {
        "platform": row["device"],
        "published_mj": published,
        "predicted_mj": predicted,
        "relative_error": predicted / published - 1,
        "low": low,
        "high": high,
        "covered": bool(low <= published <= high),
        "split": split,
        "evidence": "modelled",
    }
