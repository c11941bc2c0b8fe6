"""The `latency:` block of a platform's YAML: where its cycles come from. Checked when the file is read.

An entry names a `precision` and `threads` and then one of
* `rows` + `features`: published rows of this platform, to which cycles per unit are fitted (`latency_model`);
* `from`, `spread`, `reason`: another entry's cycles with an interval wider by `spread`; scaled feature by feature with
  `factors`, or so that the published rows of `anchor` come out right (`own`: they are of this very platform), or by the
  median `ratio` of two runtimes on the same models and device;
* `assumed` (median, low, high share of the roofline that is reached), `reason`: nothing is published.
"""

from ..base.errors import UserError, nearest, shown
from .latency_features import FEATURES

KEYS = {
    "rows": {"rows", "features"},
    "from": {"from", "factors", "anchor", "own", "ratio", "spread", "reason"},
    "assumed": {"assumed", "reason"},
}
NEEDED = {"rows": {"features"}, "from": {"spread", "reason"}, "assumed": {"reason"}}


def check_entries(entries, name: str) -> tuple[dict, ...]:
    """The entries of the file `name`. UserError naming the entry and what it lacks, or the unknown feature or key."""
    for position, entry in enumerate(entries):
        where = f"{name}: latency entry {position + 1}"
        if not isinstance(entry, dict) or not {"precision", "threads"} <= set(entry):
            raise UserError(f"{where} needs precision and threads.")
        kind = [key for key in KEYS if key in entry]
        if len(kind) != 1:
            raise UserError(f"{where} ({entry['precision']}) needs exactly one of {', '.join(KEYS)}: say where it comes from.")
        for key in NEEDED[kind[0]]:
            if not entry.get(key):
                raise UserError(f"{where} ({entry['precision']}) has no {key}.")
        for key in set(entry) - KEYS[kind[0]] - {"precision", "threads"}:
            raise UserError(f"{where} has an unknown key {key!r}{nearest(key, KEYS[kind[0]])}")
        for feature in [*entry.get("features", ()), *(set(entry.get("factors", {})) - {"rest"})]:
            if feature not in FEATURES:
                raise UserError(f"{where}: {feature!r} is no feature{nearest(feature, FEATURES)}")
        if "assumed" in entry and not _is_range(entry["assumed"]):
            raise UserError(
                f"{where} assumes {shown(entry['assumed'])}: expected {{median: M, low: L, high: H}}, shares of the roofline "
                "with 0 < L <= M <= H <= 1."
            )
        if entry.get("spread", 1) < 1:
            raise UserError(f"{where}: spread {entry['spread']!r} would narrow the interval: give 1 or more.")
    return tuple(entries)


def _is_range(assumed) -> bool:
    if not isinstance(assumed, dict) or set(assumed) != {"median", "low", "high"}:
        return False
    ends = [assumed[key] for key in ("low", "median", "high")]
    return all(type(end) in (int, float) for end in ends) and 0 < ends[0] <= ends[1] <= ends[2] <= 1
