"""Networks of the search space that are trained briefly: what the exploration knows before it searches.

The space: the shares of the baseline's channels that are kept inside the blocks, between them and in the head, the input
size, and whether the baseline teaches. The points are a scrambled Sobol sequence (Sobol 1967, Owen 1998).
"""

from dataclasses import dataclass, replace

from scipy.stats import qmc

from .recipe import Recipe

LOW, HIGH = (0.25, 0.4, 0.2), (1.0, 1.0, 1.0)  # shares of expansion, stream and head
TAUGHT = 0.75  # share of the points that the baseline teaches


@dataclass(frozen=True)
class Point:
    """One network of the space, as data."""

    expansion: float
    stream: float
    head: float
    resolution: int
    taught: bool = True


def space_filling(count: int, resolutions: list[int], seed: int) -> list[Point]:
    """`count` points that fill the space evenly. The same call gives the same points, and fewer of them a beginning."""
    sampler = qmc.Sobol(d=5, scramble=True, rng=seed)
    drawn = sampler.random_base2(max(count - 1, 1).bit_length())[:count]
    shares = qmc.scale(drawn[:, :3], LOW, HIGH).round(2)
    return [
        Point(*(float(x) for x in kept), resolutions[int(where * len(resolutions))], bool(taught < TAUGHT))
        for kept, where, taught in zip(shares, drawn[:, 3], drawn[:, 4], strict=True)
    ]


def point_recipe(
    baseline: Recipe, point: Point, *, learning_rate: float, epochs: int, images: int, teacher_weight: float, temperature: float
) -> Recipe:
    """How a point is trained from the baseline, with `images` training images an epoch (0: all)."""
    return replace(
        baseline, architecture="explored", expansion=point.expansion, stream=point.stream, head=point.head,
        resolution=point.resolution, epochs=epochs, learning_rate=learning_rate, weights="none", head_epochs=0, warm_epochs=0,
        first_resolution=0, polish_epochs=0, polish_learning_rate=0.0, train_images=images, teacher=baseline.id,
        teacher_weight=teacher_weight if point.taught else 0.0, temperature=temperature,
    )  # fmt: skip
