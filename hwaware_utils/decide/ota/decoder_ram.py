"""How much RAM a device needs to apply a delta, by the formulas of each decoder's authors: modelled, not measured.

The base is read in place (a memory-mapped slot) and the new file is written page by page into the other slot, so
neither counts. A constant of a decoder stands here beside the document that it comes from.
"""

import zstandard

from .range_coder import RAM_BYTES

PAGE_BYTES = 256  # what is programmed at once into a serial NOR flash
_INPUT_BYTES = 256  # a piece of the package on its way in
_BZIP2_BYTES = 100_000 + 4 * 900_000  # bzip2 1.0.8 manual, 2.3: 100k + 4 x block size; bsdiff4 writes blocks of 900k
_LZMA_STATE_BYTES = 2 * (1846 + (768 << 3)) + 64  # LZMA specification: 16-bit probabilities, lc + lp = 3
_ZSTD_BLOCK_BYTES = 128 << 10  # RFC 8878, 3.1.1.2.4: the largest block
HDIFF_WINDOW_LOG2 = 16
FULL_LZMA_WINDOW_BYTES = 1 << 16


def decoder_ram_bytes(method: str, streams: dict | None = None, changed_skeleton_bytes: int = 0) -> int:
    """Peak RAM to apply a delta while its bytes arrive.

    `streams` ((kind, width) -> how many numbers) and `changed_skeleton_bytes` (0 if it is the base's) are those of an
    aligned delta: the streams are decoded side by side, after a skeleton that differs has been rebuilt from the base's.
    """
    buffers = PAGE_BYTES + _INPUT_BYTES
    if method == "full_lzma":
        return buffers + FULL_LZMA_WINDOW_BYTES + _LZMA_STATE_BYTES
    if method == "bsdiff4":
        return buffers + 3 * _BZIP2_BYTES  # control, difference and extra block are read side by side
    if method == "hdiffpatch":  # covers, two run-length streams and new data are read side by side
        return buffers + 4 * ((1 << HDIFF_WINDOW_LOG2) + _LZMA_STATE_BYTES)
    rebuilt = 2 * changed_skeleton_bytes
    unpacking = _zstd_bytes(changed_skeleton_bytes) if changed_skeleton_bytes else 0
    if method == "aligned_range":
        decoding = len(streams) * RAM_BYTES
    else:  # numbers of several bytes come plane by plane: all are held until the last plane is there
        decoding = sum(_zstd_bytes(width * n) + (width * n if width > 1 else 0) for (_, width), n in streams.items())
    return buffers + rebuilt + max(unpacking, decoding)


def _zstd_bytes(content_bytes: int) -> int:
    """zstd.h, ZSTD_estimateDStreamSize: context, one block in, and out the window (no larger than the content) and a block."""
    block = min(content_bytes, _ZSTD_BLOCK_BYTES)
    return zstandard.estimate_decompression_context_size() + block + content_bytes + block + 64
