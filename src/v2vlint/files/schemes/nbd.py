"""``nbd://`` and ``nbd+unix://``, through libnbd's Python binding: nbdkit gives access to many other sources (VDDK, ssh, curl)."""

from __future__ import annotations

import contextlib
from typing import Any

from v2vlint.files import patience
from v2vlint.files.errors import FileMissing
from v2vlint.files.scheme import Ranges, Scheme
from v2vlint.files.urls import shown
from v2vlint.model.errors import ImageError

CHUNK = 1 << 22


class _Export:
    state = ""

    def __init__(self, url: str) -> None:
        import nbd

        self._name, self._error = shown(url), nbd.Error
        self._handle: Any = nbd.NBD()
        try:
            self._handle.connect_uri(url)
            self.size = int(self._handle.get_size())
        except nbd.Error as error:
            raise self._told(error) from error

    def _told(self, error: Any) -> ImageError:
        kind = FileMissing if error.errno == "ENOENT" else ImageError
        return kind(
            f"{self._name}: {str(error).partition(': ')[2][:300] or error}", hint="is the server running, and the name of its export right?"
        )

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        return patience.within(self._name, lambda: self._read(offset, length), patience.of(length))

    def _read(self, offset: int, length: int) -> bytes:
        try:
            parts = (bytes(self._handle.pread(min(CHUNK, offset + length - at), at)) for at in range(offset, offset + length, CHUNK))
            return b"".join(parts)
        except self._error as error:
            raise self._told(error) from error

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        with contextlib.suppress(self._error):
            self._handle.shutdown()


def _open(url: str) -> Ranges:
    return _Export(url)


SCHEMES = (Scheme(("nbd", "nbds", "nbd+unix", "nbds+unix"), "", "nbd", _open),)
