"""Random-access bytes: host files, slices and mappings of other streams, and a block cache. All offsets and sizes are bytes."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from v2vlint.files import FileOpener, access
from v2vlint.files.remote import pread
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

# A size in a damaged structure must not become an allocation.
MAX_READ = 1 << 30


class Stream(io.RawIOBase):
    """A read-only seekable stream of ``size`` bytes. Subclasses implement :meth:`read_at`; reads are short only at the end."""

    sector = 0
    """The disk's logical sector size, if the image states one."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._position = 0

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes starting at ``offset``, fewer at the end."""
        raise NotImplementedError

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; beyond the end is allowed, before the start is ValueError."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"seek to {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Read from the position on."""
        rest = max(0, self.size - self._position)
        wanted = rest if size is None or size < 0 else min(size, rest)
        if wanted > MAX_READ:
            raise ImageError(f"refusing to read {wanted} bytes at once")
        data = self.read_at(self._position, wanted) if wanted else b""
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        """Read to the end."""
        return self.read(-1)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Read into ``buffer``."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def clip(self, offset: int, length: int) -> int:
        """The number of bytes that exist in the given range."""
        return max(0, min(length, self.size - offset))

    def parts(self, offset: int, length: int) -> Iterator[tuple[Stream | None, int, int]]:
        """The underlying ranges of ``length`` bytes, in order: stream (itself unless a mapping, None for zeros), offset, length."""
        yield self, offset, length


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A value that shows whether a host file changed while it was read."""

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int


class HostFile(Stream):
    """A host file, or ``length`` bytes of it starting at ``offset``. ``files`` opens it; without, the operator is taken to have named the
    file.

    ImageError when it cannot be opened, or may not be: see :mod:`v2vlint.files`. ``real`` is its resolved path, ``user`` says what on this
    host is using a block device.
    """

    def __init__(self, path: str, offset: int = 0, length: int = -1, files: FileOpener | None = None) -> None:
        opened = (files or access(None, path)).open(path)
        self.path, self.real, self._fd, size = path, opened.real, opened.descriptor, opened.size
        self._remote, self.user = opened.remote, opened.user
        self.file_size = size
        rest = max(0, size - offset)
        super().__init__(rest if length < 0 else min(length, rest))
        self._offset = offset

    @property
    def identity(self) -> tuple[int, ...]:
        """A value that stays the same until somebody writes to the file, and that no other file has."""
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, self._offset, self.size

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        length = self.clip(offset, length)
        if not length:
            return b""
        if self._remote:
            return pread(self._fd, length, self._offset + offset)
        data = os.pread(self._fd, length, self._offset + offset)
        # Reads are also short before the end of a file, on FUSE or above 2 GiB.
        while len(data) < length:
            more = os.pread(self._fd, length - len(data), self._offset + offset + len(data))
            if not more:
                break
            data += more
        return data

    def fileno(self) -> int:
        """The file descriptor."""
        return self._fd

    def fingerprint(self) -> Fingerprint:
        """The state of the file now."""
        if self._remote:
            return Fingerprint(self.path, 0, 0, self.file_size, 0)
        now = os.fstat(self._fd)
        return Fingerprint(self.path, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)

    def close(self) -> None:
        """Close the host file."""
        if not self.closed:
            os.close(self._fd)
        super().close()


class MemoryStream(Stream):
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data))
        self._data = data

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        return self._data[offset : offset + length]


class Slice(Stream):
    """``size`` bytes of another stream, starting at ``offset``."""

    def __init__(self, base: Stream, offset: int, size: int) -> None:
        super().__init__(size)
        self.base = base
        self.offset = offset

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        length = self.clip(offset, length)
        return self.base.read_at(self.offset + offset, length) if length else b""

    def parts(self, offset: int, length: int) -> Iterator[tuple[Stream | None, int, int]]:
        """See :class:`Stream`."""
        yield self.base, self.offset + offset, length


@dataclass(frozen=True, slots=True)
class Piece:
    """``size`` bytes of ``base``, starting at ``offset``; no base means zeros."""

    size: int
    base: Stream | None
    offset: int = 0


class Joined(Stream):
    """Pieces of other streams, concatenated."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = tuple(piece for piece in pieces if piece.size > 0)
        self._starts: list[int] = []
        total = 0
        for piece in self._pieces:
            self._starts.append(total)
            total += piece.size
        super().__init__(total)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        return b"".join(exactly(base, start, count) for base, start, count in self.parts(offset, self.clip(offset, length)))

    def parts(self, offset: int, length: int) -> Iterator[tuple[Stream | None, int, int]]:
        """See :class:`Stream`."""
        index = bisect_right(self._starts, offset) - 1
        while length > 0:
            piece, inside = self._pieces[index], offset - self._starts[index]
            count = min(length, piece.size - inside)
            yield piece.base, piece.offset + inside, count
            offset, length, index = offset + count, length - count, index + 1


class Chunked(Stream):
    """Content in chunks of ``chunk`` bytes at different places. Subclasses implement :meth:`piece`."""

    def __init__(self, size: int, chunk: int) -> None:
        super().__init__(size)
        self._chunk = chunk

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        length = self.clip(offset, length)
        pieces: list[bytes] = []
        while length > 0:
            number, inside = divmod(offset, self._chunk)
            count = min(length, self._chunk - inside)
            pieces.append(self.piece(number, inside, count))
            offset, length = offset + count, length - count
        return b"".join(pieces)

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """``count`` bytes of chunk ``number``, starting at ``inside``."""
        raise NotImplementedError


class Striped(Chunked):
    """Chunks of ``chunk`` bytes distributed in turn over ``parts`` (of equal size)."""

    def __init__(self, parts: tuple[Stream, ...], chunk: int) -> None:
        rows = min(part.size for part in parts) // chunk
        super().__init__(rows * chunk * len(parts), chunk)
        self._parts = parts

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`Chunked`."""
        row, part = divmod(number, len(self._parts))
        return exactly(self._parts[part], row * self._chunk + inside, count)

    def parts(self, offset: int, length: int) -> Iterator[tuple[Stream | None, int, int]]:
        """See :class:`Stream`."""
        while length > 0:
            number, inside = divmod(offset, self._chunk)
            count = min(length, self._chunk - inside)
            row, part = divmod(number, len(self._parts))
            yield self._parts[part], row * self._chunk + inside, count
            offset, length = offset + count, length - count


def exactly(base: Stream | None, offset: int, length: int) -> bytes:
    """``length`` bytes of ``base``, padded with zeros."""
    data = b"" if base is None else base.read_at(offset, length)
    return data if len(data) == length else data + bytes(length - len(data))


class Cached(Stream):
    """Another stream with a cache of recently read blocks. Large reads bypass it, to keep the small ones cached."""

    def __init__(self, base: Stream, block: int = 1 << 15, count: int = 512) -> None:
        super().__init__(base.size)
        self.base = base
        self._block, self._count = block, count
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        length = self.clip(offset, length)
        if length <= 0:
            return b""
        first, last = offset // self._block, (offset + length - 1) // self._block
        inside = offset - first * self._block
        if first == last:
            return self._get(first)[inside : inside + length]
        if last - first >= 8:
            return self.base.read_at(offset, length)
        return b"".join(map(self._get, range(first, last + 1)))[inside : inside + length]

    def parts(self, offset: int, length: int) -> Iterator[tuple[Stream | None, int, int]]:
        """See :class:`Stream`."""
        yield self.base, offset, length

    def _get(self, number: int) -> bytes:
        blocks = self._blocks
        if number in blocks:
            blocks.move_to_end(number)
            return blocks[number]
        data = blocks[number] = self.base.read_at(number * self._block, min(self._block, self.size - number * self._block))
        if len(blocks) > self._count:
            blocks.popitem(last=False)
        return data
