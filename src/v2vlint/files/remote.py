"""Remote files. The process with network access reads ranges and serves blocks over a socket; a confined child has only that socket.

A request is offset and length; an answer is a status, a length, and the bytes or, when the status is not zero, the reason.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import socket
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import TypeVar
from urllib.parse import urlsplit

from v2vlint.files.errors import NoAnswer
from v2vlint.files.patience import PATIENCE, judged, transfer, within
from v2vlint.files.scheme import Ranges, RemoteEntry, Scheme, schemes
from v2vlint.files.urls import scheme_of, shown
from v2vlint.model.errors import ImageError

T = TypeVar("T")

BLOCK = 1 << 17
CACHE = 64 << 20
"""Bytes that are kept of each file."""
AHEAD = 4 << 20
"""How many bytes are read at once when reads go on where the last one ended."""
MAX_READ = 64 << 20
QUICK = 5.0
"""Seconds that a server that did not answer is given from then on, until it does: every guest of a list would wait for PATIENCE."""
MAX_LISTED = 1_000_000
"""The entries of one folder: more than a whole search visits."""
_silent: set[tuple[str, ...]] = set()
_REQUEST, _ANSWER = struct.Struct("=QQ"), struct.Struct("=IQ")


def open_url(url: str) -> Ranges:
    """The file at ``url``. Missing, or ImageError that says why it cannot be opened or what to install."""
    scheme = _scheme(url)
    return _Patient(_asked(url, lambda: scheme.open(url)), url)


def listing(url: str) -> tuple[RemoteEntry, ...]:
    """The entries of the folder at ``url``. Errors are those of :func:`open_url`."""
    listed = _scheme(url).listed
    if listed is None:
        raise ImageError(f"{shown(url)}: a folder on such a server cannot be listed", hint="give the files: a list of URLs is @FILE")
    return _asked(url, lambda: tuple(islice(listed(url), MAX_LISTED)))


def _asked(url: str, action: Callable[[], T]) -> T:
    """What ``action`` gets from the server of ``url``."""
    server, started = urlsplit(url)[:2], time.monotonic()
    try:
        found = within(shown(url), action, QUICK if server in _silent else PATIENCE)
    except ImageError as error:
        _remember(server, silent=isinstance(judged(error, started), NoAnswer))
        raise
    _remember(server, silent=False)
    return found


def _remember(server: tuple[str, ...], *, silent: bool) -> None:
    (_silent.add if silent else _silent.discard)(server)


def _scheme(url: str) -> Scheme:
    """The reader for ``url``."""
    scheme = schemes().get(scheme_of(url))
    if scheme is None:
        raise ImageError(f"{shown(url)}: URLs of this kind are not read", hint=f"read are {', '.join(sorted(schemes()))}")
    if scheme.module and importlib.util.find_spec(scheme.module) is None:
        install = f"pip install 'v2vlint[{scheme.extra}]'" if scheme.extra else f"install python3-lib{scheme.module}, for this Python"
        raise ImageError(f"{shown(url)}: {scheme.module} is not installed", hint=install)
    return scheme


class _Patient:
    """A file whose server is asked no more once it did not answer: each of a guest's reads would wait again, and leave a thread behind."""

    def __init__(self, ranges: Ranges, url: str) -> None:
        self._ranges, self._name, self._server = ranges, shown(url), urlsplit(url)[:2]
        self.size, self.state = ranges.size, ranges.state
        self._failed: NoAnswer | None = None

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        if self._failed is not None:
            raise NoAnswer(self._failed.message, hint=self._failed.hint)
        try:
            data = self._read(offset, length)
        except NoAnswer as error:
            self._failed = error
            _remember(self._server, silent=True)
            raise
        _remember(self._server, silent=False)
        return data

    def _read(self, offset: int, length: int) -> bytes:
        if self._server not in _silent:
            return self._ranges.read(offset, length)
        return within(self._name, lambda: self._ranges.read(offset, length), QUICK + transfer(length))

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        self._ranges.close()


class BlockCache:
    """A remote file with a cache of its blocks. Sequential reads fetch more and more at once, other reads a single block."""

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._next, self._ahead = 0, 1

    def read(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes starting at ``offset``, fewer at the end."""
        end = min(offset + length, self.ranges.size)
        if end <= offset:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        found: dict[int, bytes] = {}
        for number in range(first, last + 1):
            found[number] = found.get(number) or self._kept.get(number) or self._fetch(number, last, found)
            if number in self._kept:
                self._kept.move_to_end(number)
        return b"".join(found[number] for number in range(first, last + 1))[offset - first * BLOCK : end - first * BLOCK]

    def _fetch(self, number: int, last: int, found: dict[int, bytes]) -> bytes:
        """Fetch block ``number`` and the missing ones up to ``last``, and more if this continues the previous read."""
        self._ahead = min(self._ahead * 2, AHEAD // BLOCK) if number == self._next else 1
        until = min(max(last + 1, number + self._ahead), number + AHEAD // BLOCK, -(-self.ranges.size // BLOCK))
        # Up to the first block that is here already.
        until = next((one for one in range(number + 1, until) if one in self._kept), until)
        self._next = until
        start = number * BLOCK
        data = self.ranges.read(start, min(until * BLOCK, self.ranges.size) - start)
        for index in range(number, until):
            block = data[(index - number) * BLOCK : (index - number + 1) * BLOCK]
            self._kept[index] = block
            if index <= last:
                found[index] = block
        while len(self._kept) > CACHE // BLOCK:
            self._kept.popitem(last=False)
        return data[:BLOCK]


def serve(url: str) -> tuple[int, int, str]:
    """Open ``url`` and serve it in a thread until the other end is closed. Returns the descriptor of that end, which the caller owns, the
    file's size, and its state as in :class:`~v2vlint.files.scheme.Ranges`.
    """
    ranges = open_url(url)
    ours, theirs = socket.socketpair()
    threading.Thread(target=_serve, args=(ours, BlockCache(ranges)), name="v2vlint-blocks", daemon=True).start()
    return theirs.detach(), ranges.size, ranges.state


def _serve(ours: socket.socket, blocks: BlockCache) -> None:
    with contextlib.suppress(OSError), ours, contextlib.closing(blocks.ranges):
        while len(request := _received(ours, _REQUEST.size)) == _REQUEST.size:
            offset, length = _REQUEST.unpack(request)
            try:
                # The child may be an attacker's: its length must not make this process hold any amount.
                status, data = 0, blocks.read(offset, min(length, MAX_READ))
            except ImageError as error:
                status, data = 1, json.dumps([error.message, error.hint]).encode()
            # Whatever a library of a protocol raises: without an answer, the child would wait for ever.
            except Exception as error:
                status, data = 1, json.dumps([f"cannot be read: {type(error).__name__}: {error}", ""]).encode()
            ours.sendall(_ANSWER.pack(status, len(data)) + data)


def _received(channel: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := channel.recv(length - len(data))):
        data += more
    return data


def pread(descriptor: int, length: int, offset: int) -> bytes:
    """Like os.pread, for a file that is served at the other end of a socket. ImageError with the reason when it cannot be read."""
    found = b""
    while length > 0:
        os.write(descriptor, _REQUEST.pack(offset, min(length, MAX_READ)))
        status, count = _ANSWER.unpack(_exactly(descriptor, _ANSWER.size))
        data = _exactly(descriptor, count)
        if status:
            message, hint = json.loads(data)
            raise ImageError(message, hint=hint)
        found += data
        if not data:
            break
        offset, length = offset + count, length - count
    return found


def _exactly(descriptor: int, length: int) -> bytes:
    parts, rest = [], length
    while rest > 0:
        data = os.read(descriptor, min(rest, 1 << 20))
        if not data:
            raise ImageError("the process that reads it is gone")
        parts.append(data)
        rest -= len(data)
    return b"".join(parts)


class RemoteFile(io.RawIOBase):
    """A served file as a seekable stream, which owns its descriptor."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size, self._position = descriptor, size, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        self._position = max(0, {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence] + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Read from the current position."""
        data = pread(self._descriptor, max(0, min(len(buffer), self._size - self._position)), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()
