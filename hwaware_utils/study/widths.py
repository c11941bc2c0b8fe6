"""Channel counts of a MobileNetV2, and which of them a cut keeps. Plain data: nothing here needs TensorFlow."""

from dataclasses import dataclass

# The inverted residual blocks whose outputs are summed: one stream of channels each
STREAMS = ((0,), (1, 2), (3, 4, 5), (6, 7, 8, 9), (10, 11, 12), (13, 14, 15), (16,))


@dataclass(frozen=True)
class Channels:
    """Channel counts: the stem, the expansions of blocks 1-16, the outputs of blocks 0-16, and the head."""

    stem: int
    expand: tuple[int, ...]
    project: tuple[int, ...]
    head: int

    def cut(self, expansion: float = 1.0, stream: float = 1.0, head: float = 1.0) -> "Channels":
        """What `compression.compress` keeps of them with these shares.

        >>> Channels(32, (96,), (16, 24), 1280).cut(0.5, 0.75, 0.25)
        Channels(stem=16, expand=(48,), project=(16, 16), head=320)
        """
        return Channels(
            rounded(self.stem, expansion),  # the stem is the expansion of block 0
            tuple(rounded(width, expansion) for width in self.expand),
            tuple(rounded(width, stream) for width in self.project),
            rounded(self.head, head),
        )


def rounded(width: int, share: float, divisor: int = 8) -> int:
    """`share` of `width` channels, to the nearest multiple of 8 (SIMD lanes), at least 8, at most `width`.

    >>> rounded(96, 0.5), rounded(24, 0.75), rounded(16, 0.35)
    (48, 16, 8)
    """
    return min(width, max(divisor, int(width * share / divisor + 0.5) * divisor))


def joined(block: int) -> bool:
    """Whether a block adds its input to its output: both belong to one stream."""
    return block > 0 and any(block - 1 in stream and block in stream for stream in STREAMS)
