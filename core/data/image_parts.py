"""Of how many parts an image file is made. A small file may have so many that its decoder takes hours.

Only the structure is read here, before a decoder sees the file.
"""

import re
from collections.abc import Iterator
from itertools import islice

from core import limits

_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # of JPEG; the others stand within the data of a scan
_NETPBM = re.compile(rb"P[1-7fFy]")
_TOKEN = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])*+\S+")  # of the header of a PNM


def is_known(start: bytes) -> bool:
    """Whether the parts of a file that begins so are counted."""
    return start.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"II", b"MM")) or _NETPBM.match(start) is not None


def exceeded(content: bytes) -> int | None:
    """The limit of parts that a file of an image exceeds; None for one that exceeds none, and for any other file."""
    if content.startswith(b"\xff\xd8"):
        return _if_more(_markers(content), limits.IMAGE_PARTS) or _if_more(_scans(content), limits.SCANS)
    if content.startswith(b"\x89PNG"):
        return _if_more(_chunks(content), limits.CHUNKS)
    if content.startswith(b"GIF8"):
        return _if_more(_blocks(content), limits.BLOCKS)
    if content.startswith((b"II", b"MM")):
        return next((limits.TAG_VALUES for count in _tags(content) if count > limits.TAG_VALUES), None)
    return _netpbm(content) if _NETPBM.match(content) else None


def _if_more(parts: Iterator[int], most: int) -> int | None:
    return most if next(islice(parts, most, None), None) is not None else None


def _scans(content: bytes) -> Iterator[int]:
    return (marker for marker in _markers(content) if marker == 0xDA)


def _markers(content: bytes) -> Iterator[int]:
    """The marker of each segment of a JPEG, up to its end."""
    place = 2
    while (found := _MARKER.search(content, place)) and found[1] != b"\xd9":
        yield found[1][0]
        place = found.end() + max(2, int.from_bytes(content[found.end() : found.end() + 2], "big"))


def _chunks(content: bytes) -> Iterator[int]:
    """Where each chunk of a PNG begins."""
    place = 8
    while place + 8 <= len(content):
        yield place
        place += 12 + int.from_bytes(content[place : place + 4], "big")


def _blocks(content: bytes) -> Iterator[int]:
    """Where each block of a GIF begins, and each part of the data of one."""

    def colours(flags: int) -> int:
        return 3 * 2 ** (1 + flags % 8) if flags & 0x80 else 0

    place = 13 + colours(content[10] if len(content) > 10 else 0)
    while place + 10 < len(content) and content[place] in b",!":
        yield place
        place += 11 + colours(content[place + 9]) if content[place] == 0x2C else 2
        while place < len(content) and (length := content[place]):
            yield place
            place += 1 + length
        place += 1


def _tags(content: bytes) -> Iterator[int]:
    """How many values each entry of the first page of a TIFF has."""
    order = "little" if content.startswith(b"II") else "big"

    def number(place: int, size: int) -> int:
        return int.from_bytes(content[place : place + size], order)

    # Places, counts and the number of entries take twice as many bytes in a BigTIFF.
    size, entry = (8, 20) if number(2, 2) == 43 else (4, 12)
    page = number(size, size)
    few = 8 if size == 8 else 2
    for k in range(min(number(page, few), 65_535)):
        yield number(page + few + k * entry + 4, size)


def _netpbm(content: bytes) -> int | None:
    """The limit of bytes that the header of a PNM exceeds, or its pixels where they are written in digits."""
    place, head = 0, content[: limits.NETPBM_HEADER]
    for _ in range(3 if content[1:2] in b"14" else 4):
        found = _TOKEN.match(head, place)
        if found is None:
            return len(head) if len(content) > len(head) else None  # else it is only cut short
        place = found.end()
    return limits.NETPBM_TEXT if content[1:2] in b"123" and len(content) > limits.NETPBM_TEXT else None
