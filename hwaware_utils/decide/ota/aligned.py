"""Two `.tflite` files lined up tensor by tensor: the differences of their numbers, and the little that remains.

The file falls into segments (constants and scales, `layout`) and the skeleton between them. A segment of the new file
is matched with the base's segment of the same tensor, kind, width and length (or of another tensor, where the names
have changed); the differences of their numbers, modulo
2 ** bits, are what an entropy coder gets. Table and skeleton are told against the base's own: nothing, if they are equal.
"""

from dataclasses import dataclass

import numpy as np
import zstandard

from .layout import Segment, segments

Stream = tuple[str, int]  # kind and width of numbers that change alike


@dataclass(frozen=True)
class Lined:
    """`head` rebuilds table and skeleton (empty: as the base's); `differences` are int64, a stream each."""

    head: bytes
    differences: dict[Stream, np.ndarray]
    tensors: dict[Stream, list[int]]  # how many of a stream's numbers belong to each segment, in order


def line_up(base: bytes, new: bytes) -> Lined:
    """Both contents must be sound `.tflite` files."""
    old = segments(base)
    pairs = _match(old, segments(new))
    table = _table([s for s, _ in pairs], [number for _, number in pairs])
    skeleton, own = _between(new, [s for s, _ in pairs]), _own(base, old)
    head = len(table).to_bytes(4, "little") + table + skeleton
    differences, tensors = {}, {}
    for segment, number in pairs:
        stream = segment.key[0], segment.width
        differences.setdefault(stream, []).append(_numbers(new, segment) - _numbers(base, old[number]))
        tensors.setdefault(stream, []).append(segment.length // segment.width)
    signed = {s: np.concatenate(parts).view(f"<i{s[1]}").astype(np.int64) for s, parts in differences.items()}
    return Lined(b"" if head == own else _compress(head, own), signed, tensors)


def _match(old: list[Segment], new: list[Segment]) -> list[tuple[Segment, int]]:
    """Each new segment with the number of an old one: of the same tensor, else the next in turn that is free and as long."""
    named = {(s.key, s.length, s.width): number for number, s in enumerate(old)}
    found = [named.get((s.key, s.length, s.width)) for s in new]
    free = {}
    for number in sorted(set(range(len(old))) - set(found), key=lambda n: -old[n].turn):
        free.setdefault((old[number].key[0], old[number].length, old[number].width), []).append(number)
    for place, segment in sorted(enumerate(new), key=lambda numbered: numbered[1].turn):
        waiting = free.get((segment.key[0], segment.length, segment.width))
        if found[place] is None and waiting:
            found[place] = waiting.pop()
    return [(segment, number) for segment, number in zip(new, found, strict=True) if number is not None]


def streams_of(base: bytes, head: bytes) -> dict[Stream, int]:
    """How many numbers each stream holds, as a decoder knows it before it reads the differences."""
    counts = {}
    for _, _, source, stream in _rows(base, head)[0]:
        counts[stream] = counts.get(stream, 0) + source.length // source.width
    return counts


def put_together(base: bytes, head: bytes, differences: dict[Stream, np.ndarray]) -> bytes:
    """The new file, from the base and what `line_up` made."""
    rows, skeleton = _rows(base, head)
    taken, place, parts = dict.fromkeys(differences, 0), 0, []
    for gap, length, source, stream in rows:
        parts.append(skeleton[place : place + gap])
        place, count = place + gap, length // source.width
        change = differences[stream][taken[stream] : taken[stream] + count]
        taken[stream] += count
        parts.append((_numbers(base, source) + change.astype(f"<i{source.width}").view(f"<u{source.width}")).tobytes())
    return b"".join([*parts, skeleton[place:]])


def _rows(base: bytes, head: bytes):
    """(gap before it, length, the base's segment, stream) of each matched segment; the skeleton."""
    old = segments(base)
    content = _own(base, old) if not head else _decompress(head, _own(base, old))
    end = 4 + int.from_bytes(content[:4], "little")
    table = np.frombuffer(content[4:end], "<u4").reshape(-1, 3)
    rows = [(gap, length, old[number], (old[number].key[0], old[number].width)) for gap, length, number in table.tolist()]
    return rows, content[end:]


def _own(content: bytes, own: list[Segment]) -> bytes:
    table = _table(own, list(range(len(own))))
    return len(table).to_bytes(4, "little") + table + _between(content, own)


def _table(placed: list[Segment], sources: list[int]) -> bytes:
    rows, end = [], 0
    for segment, source in zip(placed, sources, strict=True):
        rows.append((segment.offset - end, segment.length, source))
        end = segment.offset + segment.length
    return np.array(rows, "<u4").tobytes()


def _between(content: bytes, taken: list[Segment]) -> bytes:
    parts, end = [], 0
    for segment in taken:
        parts.append(content[end : segment.offset])
        end = segment.offset + segment.length
    return b"".join([*parts, content[end:]])


def _numbers(content: bytes, segment: Segment) -> np.ndarray:
    return np.frombuffer(content, f"<u{segment.width}", segment.length // segment.width, segment.offset)


def _compress(head: bytes, own: bytes) -> bytes:
    known = zstandard.ZstdCompressionDict(own, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(level=19, dict_data=known).compress(head)


def _decompress(head: bytes, own: bytes) -> bytes:
    known = zstandard.ZstdCompressionDict(own, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdDecompressor(dict_data=known).decompress(head)
