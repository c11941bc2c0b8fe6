"""What an update of a `.tflite` sends: five ways to tell the new file to a device that has the base, and their bound."""

import lzma
from pathlib import Path

import bsdiff4
import hdiffpatch
import numpy as np
import pandas as pd
import zstandard

from ...base.errors import UserError, nearest
from ...tflite_file import DAMAGE, read_model
from . import range_coder
from .aligned import line_up, put_together, streams_of
from .decoder_ram import FULL_LZMA_WINDOW_BYTES, HDIFF_WINDOW_LOG2, decoder_ram_bytes

METHODS = ("aligned_range", "aligned_zstd", "bsdiff4", "hdiffpatch", "full_lzma")
_LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": FULL_LZMA_WINDOW_BYTES}]
_DAMAGE = (*DAMAGE, zstandard.ZstdError, lzma.LZMAError, EOFError, OSError, hdiffpatch.HDiffPatchError)


def encode(base: bytes, new: bytes, method: str) -> bytes:
    """The bytes from which `apply` makes `new` out of `base`. Aligned methods want two sound `.tflite` files."""
    _check(method)
    if method == "full_lzma":
        return lzma.compress(new, lzma.FORMAT_RAW, filters=_LZMA)
    if method == "bsdiff4":
        return bsdiff4.diff(base, new)
    if method == "hdiffpatch":
        return hdiffpatch.diff(base, new, compression=hdiffpatch.Lzma2Config(window=HDIFF_WINDOW_LOG2))
    lined = line_up(base, new)
    coded = [_code(differences, stream[1], method) for stream, differences in lined.differences.items()]
    return b"".join(len(part).to_bytes(4, "little") + part for part in [lined.head, *coded])


def apply(base: bytes, delta: bytes, method: str) -> bytes:
    """`new` again. UserError when `delta` is no output of `encode`; the caller compares the checksum of what it gets."""
    _check(method)
    try:
        if method == "full_lzma":
            return lzma.decompress(delta, lzma.FORMAT_RAW, filters=_LZMA)
        if method == "bsdiff4":
            return bsdiff4.patch(base, delta)
        if method == "hdiffpatch":
            return hdiffpatch.apply(base, delta)
        head, *coded = _parts(delta)
        counts = streams_of(base, head)
        streams = zip(counts.items(), coded, strict=True)
        decoded = {stream: _decode(part, count, stream[1], method) for (stream, count), part in streams}
        return put_together(base, head, decoded)
    except _DAMAGE as error:
        raise UserError(f"the delta is damaged ({type(error).__name__}): fetch the package again.") from error


def compare_methods(base: Path, new: Path) -> pd.DataFrame:
    """The methods on a pair of `.tflite` files, smallest first; every delta has been applied and gave `new` again.

    Columns: method, delta_bytes, image_bytes (of `new`), share (of the image), bound_bytes (`entropy_bound_bytes`),
    above_bound (delta / bound - 1; negative where a coder uses more than the bound knows), ram_bytes (modelled peak of
    the device's decoder), evidence (of the sizes). UserError names a file that is no sound `.tflite`.
    """
    old, image = read_sound(base), read_sound(new)
    bound, rows = entropy_bound_bytes(old, image), []
    for method in METHODS:
        delta = encode(old, image, method)
        if apply(old, delta, method) != image:
            raise ValueError(f"{method} does not give {new.name} back.")
        ram = _ram_bytes(method, old, image, delta)
        sizes = {"delta_bytes": len(delta), "image_bytes": len(image), "share": len(delta) / len(image)}
        above = len(delta) / bound - 1 if bound else np.nan
        rows.append({"method": method, **sizes, "bound_bytes": bound, "above_bound": above, "ram_bytes": ram})
    return pd.DataFrame(rows).assign(evidence="measured").sort_values("delta_bytes", kind="stable", ignore_index=True)


def smallest(base: Path, new: Path, ram_limit_bytes: int | None = None) -> tuple[str, bytes]:
    """(method, delta) of the fewest bytes whose decoder fits into `ram_limit_bytes`. UserError when none does."""
    return choose(compare_methods(base, new), base, new, ram_limit_bytes)


def choose(table: pd.DataFrame, base: Path, new: Path, ram_limit_bytes: int | None = None) -> tuple[str, bytes]:
    """`smallest`, from a table that `compare_methods` has made."""
    fits = table if ram_limit_bytes is None else table[table["ram_bytes"] <= ram_limit_bytes]
    if fits.empty:
        least = table.loc[table["ram_bytes"].idxmin()]
        raise UserError(f"no decoder fits into {ram_limit_bytes} bytes of RAM: {least['method']} needs {least['ram_bytes']}.")
    method = str(fits["method"].iloc[0])
    return method, encode(base.read_bytes(), new.read_bytes(), method)


def entropy_bound_bytes(base: bytes, new: bytes) -> float:
    """Order-0 entropy of the aligned differences: what a coder without context needs at least, its tables not counted.

    sum over symbols of -log2(share of the symbol), in bytes (Shannon 1948). Numbers of one byte have the shares of their
    own tensor; wider ones (biases, scales) those of each of their bytes over all tensors, as n numbers of one tensor
    can hardly repeat. The skeleton counts as nothing.
    """
    lined, bits = line_up(base, new), 0.0
    for stream, differences in lined.differences.items():
        if stream[1] == 1:
            bits += sum(_entropy_bits(part) for part in np.split(differences, np.cumsum(lined.tensors[stream])[:-1]))
        else:
            bits += sum(_entropy_bits(plane) for plane in _planes(differences, stream[1]))
    return bits / 8


def read_sound(path: Path) -> bytes:
    """The bytes of a `.tflite` whose offsets all hold. UserError if it is none."""
    read_model(path)
    return Path(path).read_bytes()


def _ram_bytes(method: str, base: bytes, new: bytes, delta: bytes) -> int:
    if not method.startswith("aligned"):
        return decoder_ram_bytes(method)
    head = _parts(delta)[0]
    streams = streams_of(base, head)
    told = sum(width * count for (_, width), count in streams.items())
    return decoder_ram_bytes(method, streams, len(new) - told if head else 0)


def _entropy_bits(symbols: np.ndarray) -> float:
    """
    >>> _entropy_bits(np.array([0, 0, 1, 1])), _entropy_bits(np.array([5, 5]))
    (4.0, 0.0)
    """
    counts = np.unique(symbols, return_counts=True)[1]
    return float(abs((counts * np.log2(counts / len(symbols))).sum()))


def _planes(differences: np.ndarray, width: int) -> np.ndarray:
    """The zigzag numbers (0, -1, 1, -2, ... -> 0, 1, 2, 3, ...) by their bytes, (width, N): small ones fill few planes."""
    zigzag = np.where(differences < 0, -2 * differences - 1, 2 * differences).astype("<u8")
    return np.ascontiguousarray(zigzag.view(np.uint8).reshape(-1, 8)[:, :width].T)


def _code(differences: np.ndarray, width: int, method: str) -> bytes:
    if method == "aligned_range":
        return range_coder.encode(differences)
    return zstandard.ZstdCompressor(level=22).compress(_planes(differences, width).tobytes())


def _decode(part: bytes, count: int, width: int, method: str) -> np.ndarray:
    if method == "aligned_range":
        return range_coder.decode(part, count)
    planes = np.frombuffer(zstandard.ZstdDecompressor().decompress(part), np.uint8).reshape(width, count)
    zigzag = np.zeros((count, 8), np.uint8)
    zigzag[:, :width] = planes.T
    numbers = zigzag.view("<u8").reshape(-1).astype(np.int64)
    return np.where(numbers & 1, -(numbers >> 1) - 1, numbers >> 1)


def _parts(delta: bytes) -> list[bytes]:
    parts, place = [], 0
    while place < len(delta):
        end = place + 4 + int.from_bytes(delta[place : place + 4], "little")
        if end > len(delta):
            raise EOFError("a part runs past the end")
        parts.append(delta[place + 4 : end])
        place = end
    return parts


def _check(method: str) -> None:
    if method not in METHODS:
        raise UserError(f"delta method {method!r} is unknown{nearest(method, METHODS)}")
