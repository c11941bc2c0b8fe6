"""Where to cut a network for gradient checkpointing: which activations stay in memory, which are computed again.

A plan keeps an estimate of one training step's peak near the least possible one, and recomputes as little as that
allows (after Chen et al. 2016, https://arxiv.org/abs/1604.06174). No TensorFlow here: a network is a list of steps.
"""

from dataclasses import dataclass

import numpy as np

from ..base.errors import UserError

SLACK = 0.07  # share of the possible saving that is given up for less recomputation
EVENNESS = 0.2  # bytes saved that are worth one byte less in a segment as large as the peak


@dataclass(frozen=True)
class Step:
    """One layer call: its output in bytes an image, the steps that it reads (inputs of the model left out), and its kind."""

    name: str
    size_bytes: int
    reads: tuple[int, ...]
    gradient_reads_input: bool = True
    gradient_reads_output: bool = False
    cheap: bool = False  # normalises or activates: there is no kernel to multiply with
    repeatable: bool = True  # a second call gives the same output and changes nothing

    @property
    def spared_at_the_end(self) -> bool:
        """Whether a segment that ends here need not compute it again: its gradient does not ask for its output."""
        return self.gradient_reads_input and not self.gradient_reads_output and not self.cheap


@dataclass(frozen=True)
class Segment:
    """Steps `first` to `last` - 1, recomputed as one; if `lean`, some runs of cheap steps in it once more, on their own."""

    first: int
    last: int
    lean: bool

    def parts(self, steps: list[Step]) -> list[range]:
        """The steps as they are recomputed together. In a lean segment, a run of cheap steps is one part if that frees it.

        It does when no gradient asks for what the run puts out: a normalised and activated image that is only padded.
        """
        parts, start = [], self.first
        while start < self.last:
            stop = start + 1
            while self.lean and stop < self.last and steps[stop - 1].cheap and steps[stop].cheap:
                stop += 1
            asked_for = any(step.gradient_reads_input and stop - 1 in step.reads for step in steps)
            parts += [range(i, i + 1) for i in range(start, stop)] if asked_for else [range(start, stop)]
            start = stop
        return parts


@dataclass(frozen=True)
class Plan:
    """`segments` are recomputed, all other steps keep their activations. Both peaks are estimates in bytes an image."""

    segments: tuple[Segment, ...]
    peak_bytes: int
    plain_peak_bytes: int


def plan_segments(steps: list[Step], segments: int | None = None) -> Plan:
    """Cut `steps` into at most `segments` recomputed segments (None: any number) and a rest that keeps its activations.

    UserError when `segments` is no count.
    """
    if segments is not None and (not isinstance(segments, int) or segments < 1):
        raise UserError(f"segments = {segments!r}: give the number of recomputed segments, 1 or more, or None to plan it.")
    costs = _Costs(steps)
    plain = costs.work[False][0, len(steps)]
    low, high = 0.0, plain
    while high - low > 0.002 * plain:
        middle = (low + high) / 2
        low, high = (middle, high) if _cheapest(costs, middle, segments, 0.0) is None else (low, middle)
    allowed = high + SLACK * (plain - high)
    even = _cheapest(costs, allowed, segments, EVENNESS)
    return Plan(_cheapest(costs, allowed, segments, 0.0) if even is None else even, int(allowed), int(plain))


class _Costs:
    """Bytes an image as matrices over (first, last): `work` is a segment's own peak, `saved` what leaves it."""

    def __init__(self, steps: list[Step]):
        n = len(steps)
        self.steps = steps
        size = np.array([step.size_bytes for step in steps], float)
        last_use = np.zeros(n, int)
        for reader, step in enumerate(steps):
            last_use[list(step.reads)] = reader
        last_use[last_use == 0] = n  # nobody reads it: an output of the model
        alive = np.triu(size[:, None] * (last_use[:, None] >= np.arange(n + 1)), 1)
        total = np.vstack([np.zeros(n + 1), np.cumsum(alive, axis=0)])
        self.saved = total.diagonal()[None, :] - total  # made in [first, last) and read from `last` on
        gradients = size + np.array([sum(size[list(step.reads)]) for step in steps])
        self.spared = np.append(0, gradients * [step.spared_at_the_end for step in steps])[None, :]
        self.kept = size * _kept(steps, lean=False)
        self.work = {False: _peaks(self.kept, gradients), True: _peaks(size * _kept(steps, lean=True), gradients)}
        self.fixed = [not step.repeatable for step in steps]
        before = np.cumsum([0, *self.fixed])
        self.allowed = np.triu(before[None, :] == before[:, None], 1)


def _kept(steps: list[Step], lean: bool) -> np.ndarray:
    """Whether each output stays in memory until the backward pass is through with it."""
    part_of = {i: part for part in Segment(0, len(steps), lean).parts(steps) for i in part}
    kept = np.array([step.gradient_reads_output and len(part_of[i]) == 1 for i, step in enumerate(steps)])
    for reader, step in enumerate(steps):
        for made in step.reads:
            kept[made] |= step.gradient_reads_input and part_of[made] != part_of[reader]
    return kept


def _peaks(kept: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Peak of the backward pass through steps [first, last): what is kept up to a step, plus that step's gradients."""
    n, total = len(kept), np.append(0.0, np.cumsum(kept))
    peaks = np.zeros((n + 1, n + 1))
    for first in range(n):
        peaks[first, first + 1 :] = np.maximum.accumulate(total[first + 1 :] + gradients[first:]) - total[first]
    return peaks


def _cheapest(costs: _Costs, peak: float, segments: int | None, evenness: float) -> tuple[Segment, ...] | None:
    """The segments that keep every moment below `peak` and leave the most steps at the end plain; None if there are none.

    Shortest path over the cuts; each round allows one segment more. A path's length is the bytes that stay saved; with
    `evenness`, small segments and those that end in a kernel are preferred: the estimate may err on a large one.
    """
    n = len(costs.steps)
    work = np.where(costs.allowed, np.minimum(costs.work[False], costs.work[True]), np.inf)
    edge = costs.saved + evenness * (np.square(np.where(costs.allowed, work, 0)) / peak - costs.spared)
    best = [(np.inf, 0.0, ())] * (n + 1)  # length, bytes held, segments
    best[0] = (0.0, 0.0, ())
    for _ in range(segments or n):
        length, held = np.array([b[0] for b in best]), np.array([b[1] for b in best])
        tried = np.where(held[:, None] + work <= peak, length[:, None] + edge, np.inf)
        new = list(best)
        for last in range(1, n + 1):
            first = int(tried[:, last].argmin())
            if tried[first, last] < new[last][0]:
                segment = Segment(first, last, bool(held[first] + costs.work[False][first, last] > peak))
                new[last] = (tried[first, last], held[first] + costs.saved[first, last], (*best[first][2], segment))
            length_before, held_before, path = new[last - 1]  # a step that cannot be repeated keeps what its gradient needs
            keeps = max(costs.kept[last - 1], costs.saved[last - 1, last])
            fits = held_before + costs.work[False][last - 1, last] <= peak
            if costs.fixed[last - 1] and fits and length_before + keeps < new[last][0]:
                new[last] = (length_before + keeps, held_before + keeps, path)
        if new == best:
            break
        best = new
    for first, (length, held, path) in enumerate(best[:-1]):  # the first that fits leaves the most steps plain
        if length < np.inf and held + costs.work[False][first, n] <= peak:
            return path
    return None
