"""A recommendation asked for in words and told in words: what the command `recommend` reads and prints."""

from pathlib import Path

from ..base.errors import UserError
from .methodology import HardwareAwareDesignMethodology
from .recommendation import Recommendation


def ask(
    platform: str, objective: str, weights: str, constraints: dict[str, float | None], profile: str, table: Path | None
) -> Recommendation:
    """The recommendation for the options of a command line; what is None or empty is not asked for.

    UserError for weights beside an objective, a profile beside a table, and whatever the methodology refuses.
    """
    if not platform:
        raise UserError("no platform: give --platform, such as arm_cortex_m7.")
    if weights and objective:
        raise UserError(f"--objective {objective} and --weights {weights} contradict each other: give one of them.")
    if profile and table is not None:
        raise UserError(f"--profile {profile} and --table {table} contradict each other: give one of them.")
    if table is not None and table.suffix != ".csv":
        raise UserError(f"--table {table} is no CSV file: give the configurations.csv of a run.")
    wanted = parse_weights(weights) if weights else objective or "balanced"
    limits = {name: value for name, value in constraints.items() if value is not None}
    methodology = HardwareAwareDesignMethodology(table if table is not None else profile or None)
    return methodology.recommend_configuration(platform, wanted, limits)


def parse_weights(text: str) -> dict[str, float]:
    """Weights as they are typed. UserError for a part that is no name=number, or a name that stands there twice.

    >>> parse_weights("accuracy=2, energy=1")
    {'accuracy': 2.0, 'energy': 1.0}
    """
    weights = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            raise UserError(f"weight {part.strip()!r} is no name=number: give e.g. --weights accuracy=2,energy=1.") from None
        if name in weights:
            raise UserError(f"weight {name!r} stands there twice: give it once.")
        weights[name] = value
    return weights


def tell(answer: Recommendation) -> str:
    """The answer as text: the sentence, what else would do, why the others not, what other limits would bring."""
    broken = answer.rejections.groupby("variant", sort=False)["sentence"].agg("; ".join)
    parts = {
        "Runners-up, best first": [_numbers(row) for row in answer.runners_up.to_dict("records")],
        "Rejected": [f"{variant}: {why}" for variant, why in broken.items()],
        "If a limit were another": answer.sensitivity["sentence"].tolist(),
    }
    lines = [answer.sentence()]
    for title, items in parts.items():
        lines += ["", f"{title}:", *(f"  {item}" for item in items)] if items else []
    return "\n".join(lines)


def _numbers(row: dict) -> str:
    return (
        f"{row['variant']}: accuracy {row['accuracy']:.3f}, latency {row['latency_ms']:.3g} ms, "
        f"RAM {row['ram_bytes'] / 1024:.0f} KiB, energy {row['energy_mj']:.3g} mJ"
    )
