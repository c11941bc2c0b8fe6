"""Which slot is current: records in two sectors of flash, one page each, only ever appended.

A record counts when its CRC-32 holds, so one that a power cut tore does not. When a sector is full the other one, which
holds only older records, is erased; the newest record is never in danger.
"""

import struct
import zlib
from typing import NamedTuple

from .flash import ERASED, Flash

JOURNAL_SECTORS = 2
_BODY = struct.Struct("<4sIIII32s")
_MAGIC = b"JRN1"


class Record(NamedTuple):
    """`slot` holds version `version`, `image_bytes` long, with this checksum; the highest sequence is the newest."""

    sequence: int
    slot: int
    version: int
    image_bytes: int
    sha256: bytes


def records(flash: Flash) -> list[Record]:
    """Every whole record, in the order of their places."""
    return [record for page in range(_pages(flash)) if (record := _parse(_page(flash, page)))]


def append(flash: Flash, record: Record) -> None:
    """Write one record behind the newest one: in its sector, or, if that is full, in the other one, freshly erased."""
    per_sector = _pages(flash) // JOURNAL_SECTORS
    pages = [_page(flash, page) for page in range(_pages(flash))]
    used = [page for page, content in enumerate(pages) if content.count(ERASED) != len(content)]
    newest = max(((found.sequence, page) for page in used if (found := _parse(pages[page]))), default=(0, 0))[1]
    sector = newest // per_sector
    page = max((page for page in used if page // per_sector == sector), default=sector * per_sector - 1) + 1
    if page // per_sector != sector:
        sector = 1 - sector
        page = sector * per_sector
        flash.erase(sector * flash.geometry.sector_bytes)
    body = _BODY.pack(_MAGIC, *record)
    flash.program(page * flash.geometry.page_bytes, body + zlib.crc32(body).to_bytes(4, "little"))


def _parse(page: bytes) -> Record | None:
    body, check = page[: _BODY.size], page[_BODY.size : _BODY.size + 4]
    whole = body[:4] == _MAGIC and zlib.crc32(body).to_bytes(4, "little") == check
    return Record(*_BODY.unpack(body)[1:]) if whole else None


def _pages(flash: Flash) -> int:
    return JOURNAL_SECTORS * flash.geometry.sector_bytes // flash.geometry.page_bytes


def _page(flash: Flash, page: int) -> bytes:
    return flash.read(page * flash.geometry.page_bytes, flash.geometry.page_bytes)
