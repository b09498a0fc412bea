"""``sftp://user@host/path``: by the ssh program, with its configuration, keys and known hosts."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from v2vlint.files.scheme import Ranges, Scheme
from v2vlint.files.sftp import Login, Sftp
from v2vlint.model.errors import ImageError


class _File:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = unquote(parts.path).encode()
        self._session = Sftp(
            Login(parts.hostname or "", parts.username or "", parts.port or 0).command("-s", "sftp"), f"sftp://{parts.netloc}"
        )
        try:
            self._handle, found = self._session.open(self._path)
        except ImageError:
            self._session.close()
            raise
        self.size, self._changed = found.size, found.mtime

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        data = self._session.read(self._path, self._handle, offset, length)
        if len(data) != length:
            raise ImageError(f"{self._path.decode('utf-8', 'replace')}: changed on the server while it was read")
        return data

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        self._session.close()


def _open(url: str) -> Ranges:
    return _File(url)


SCHEMES = (Scheme(("sftp",), "", "", _open),)
