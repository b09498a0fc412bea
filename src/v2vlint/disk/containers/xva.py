"""A disk in a XenServer .xva archive: numbered files of 1 MiB, each followed by its checksum. Files of zeros only are omitted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.disk.stream import Chunked, HostFile, Stream, exactly
from v2vlint.model.errors import ImageError

CHUNK = 1 << 20
MAX_MEMBERS = 20_000_000
_BLOCK = 512
_NUMBER = re.compile(rb"\d{1,12}")


class XvaDisk(Chunked):
    """The disk whose chunks are in the folder ``member`` of the archive ``base``, read in place.

    ImageError when there are none, or the archive is truncated. The first and last chunks always exist: they determine the size.
    """

    def __init__(self, name: str, base: Stream, member: str) -> None:
        self._base = base
        self._places = _places(name, base).get(member.encode(), {})
        if not self._places:
            raise ImageError(f"{name}: there is no disk {member} in the archive")
        last = max(self._places)
        super().__init__(last * CHUNK + self._places[last][1], CHUNK)

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`."""
        place, size = self._places.get(number, (0, 0))
        return exactly(self._base, place + inside, min(count, max(0, size - inside))).ljust(count, b"\0")


Places = dict[bytes, dict[int, tuple[int, int]]]
"""The chunks of every disk: offset and size by folder and number."""
_last: dict[tuple[int, ...], Places] = {}


def _places(name: str, base: Stream) -> Places:
    """The chunks in the archive, which is scanned once for all disks in it."""
    key = base.identity if isinstance(base, HostFile) else ()
    if key and key in _last:
        return _last[key]
    found: Places = {}
    for folder, number, place in _chunks(name, base):
        found.setdefault(folder, {})[number] = place
    # One archive is enough: the disks of a machine are opened one after another.
    _last.clear()
    _last[key] = found
    return found


def _chunks(name: str, base: Stream) -> Iterator[tuple[bytes, int, tuple[int, int]]]:
    """The folder, number, position and size of every chunk, from the archive's headers."""
    at = seen = 0
    while at + _BLOCK <= base.size and seen < MAX_MEMBERS:
        header = base.read_at(at, _BLOCK)
        if not header.strip(b"\0"):
            return
        size, path = _size(name, header), header[:100].rstrip(b"\0").removeprefix(b"./")
        folder, _slash, number = path.partition(b"/")
        if _NUMBER.fullmatch(number):
            if size > CHUNK or at + _BLOCK + size > base.size:
                raise ImageError(f"{name}: truncated or damaged (the chunk {path.decode('latin-1')} does not fit)")
            yield folder, int(number), (at + _BLOCK, size)
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
        seen += 1
    raise ImageError(f"{name}: truncated (the archive has no end)")


def _size(name: str, header: bytes) -> int:
    field = header[124:136].strip(b" \0")
    # Archives of the old format have no magic number.
    if header[257:262] not in (b"ustar", bytes(5)) or not field or set(field) - set(b"01234567"):
        raise ImageError(f"{name}: damaged (no header of an archive where one should be)")
    return int(field, 8)
