"""``smb://user@host/share/path``, through smbprotocol: files on shares of Windows, Hyper-V and Samba.

The login is ``$SMB_USERNAME`` (``DOMAIN\\user``) and ``$SMB_PASSWORD``; a user in the URL takes precedence over the variable. A file is
opened so that others can still read, write and delete it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from v2vlint.files import patience
from v2vlint.files.errors import FileMissing
from v2vlint.files.scheme import Ranges, RemoteEntry, Scheme
from v2vlint.files.urls import shown
from v2vlint.model.errors import ImageError

ATTEMPTS = 4
BACK_OFF = 0.5
TIMEOUT = 30
_HINT = "logins: SMB_USERNAME (DOMAIN\\user) and SMB_PASSWORD, or Kerberos"
_IN_USE = 0xC0000043
"""STATUS_SHARING_VIOLATION of [MS-ERREF]."""
_REASONS = {
    0xC000006D: "the server refuses the login",
    0xC0000022: "access is denied",
    _IN_USE: "in use on the server by somebody who shares it with nobody",
}


class _Share:
    """A file or folder on a share, over its own connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._name, self._lock = shown(url), threading.Lock()
        self._path = f"\\\\{parts.hostname}" + unquote(parts.path).replace("/", "\\")
        self._connections: dict[str, object] = {}
        self._options = {
            "username": unquote(parts.username or "") or os.environ.get("SMB_USERNAME"),
            "password": os.environ.get("SMB_PASSWORD"),
            "port": parts.port or 445,
            "connection_timeout": TIMEOUT,
            "connection_cache": self._connections,
        }

    def names(self) -> Iterator[RemoteEntry]:
        """What is in the folder."""
        import smbclient

        try:
            with smbclient.scandir(self._path, **self._options) as found:
                for one in found:
                    odd = "a link, which is not followed on a server" if one.is_symlink() else ""
                    yield RemoteEntry(one.name, not odd and one.is_dir(), int(one.smb_info.end_of_file), odd)
        except Exception as error:
            raise self._told(error) from error
        finally:
            self.close()

    def _told(self, error: Exception) -> ImageError:
        status = _status(error)
        if getattr(error, "errno", 0) == errno.ENOENT:
            return FileMissing(f"{self._name}: not found on the server", hint="the first part of the path is the share")
        if status == _IN_USE:
            return ImageError(f"{self._name}: {_REASONS[status]}", hint="does the machine run? check a checkpoint or a copy of it")
        words = _REASONS.get(status, "") or str(error)[:300] or type(error).__name__
        return ImageError(f"{self._name}: {words}", hint=_HINT)

    def close(self) -> None:
        """Close the connection; the next range opens another one."""
        import smbclient

        with contextlib.suppress(Exception):
            smbclient.reset_connection_cache(fail_on_error=False, connection_cache=self._connections)
        self._connections.clear()


class _File(_Share):
    """One file over a connection of its own, which is re-established when it breaks.

    The file is reopened for each range: while it is open, Samba does not report that a program on its host has written to it.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        try:
            self._range(0, 0)
            self._before = self._state()
        except Exception as error:
            self.close()
            raise self._told(error) from error
        self.size, self.state = self._before[0], " ".join(map(str, self._before[1:]))

    def _state(self) -> tuple[int, int, int]:
        """The size, the time of the last write, and the time of the last change."""
        import smbclient

        found = smbclient.stat(self._path, **self._options)
        return int(found.st_size), int(found.st_mtime_ns), int(found.st_chgtime_ns)

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        return patience.within(self._name, lambda: self._read(offset, length), patience.of(length))

    def _read(self, offset: int, length: int) -> bytes:
        failure: Exception = EOFError("the file ends early")
        for attempt in range(ATTEMPTS):
            time.sleep(BACK_OFF * (2**attempt - 1))
            try:
                with self._lock:
                    data, state = self._range(offset, length), self._state()
            except Exception as error:
                failure = error
                # The server has answered: to ask again would not help.
                if _status(error) or getattr(error, "errno", 0) == errno.ENOENT:
                    break
                self.close()
                continue
            if state != self._before:
                raise ImageError(f"{self._name}: changed on the server while it was read", hint="check it again when it is finished")
            if len(data) == length:
                return data
        raise self._told(failure)

    def _range(self, offset: int, length: int) -> bytes:
        import smbclient

        parts: list[bytes] = []
        with smbclient.open_file(self._path, "rb", buffering=0, share_access="rwd", **self._options) as stream:
            stream.seek(offset)
            while length and (data := stream.read(length)):
                parts.append(data)
                length -= len(data)
        return b"".join(parts)


def _status(error: Exception) -> int:
    """The NTSTATUS in the server's answer; 0 for an error that is not an answer."""
    found = getattr(error, "ntstatus", None) or getattr(error, "status", None) or 0
    return int(getattr(found, "value", found) or 0)


def _open(url: str) -> Ranges:
    return _File(url)


def _names(url: str) -> Iterator[RemoteEntry]:
    return _Share(url).names()


SCHEMES = (Scheme(("smb",), "smb", "smbclient", _open, _names, folders=True),)
