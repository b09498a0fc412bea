"""Object stores and shares, by fsspec and the library of each: ``s3://``, ``az://``, ``smb://``, ``gs://``.

Logins come from where each library looks for them: AWS_* and ~/.aws, AZURE_STORAGE_*, SMB_USERNAME and SMB_PASSWORD, Google's defaults.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from functools import partial
from typing import Any

from v2vlint.files.errors import Missing
from v2vlint.files.scheme import Ranges, Scheme
from v2vlint.files.urls import shown
from v2vlint.model.errors import ImageError

ATTEMPTS = 4
BACK_OFF = 0.5


class _File:
    """One object, opened once; its library sees to it that it is the same one all the time where the store can say so."""

    def __init__(self, url: str, hint: str) -> None:
        import fsspec

        self._name, self._hint, self._lock = shown(url), hint, threading.Lock()
        try:
            self._system, path = fsspec.core.url_to_fs(url, **_options(url))
            self._stream: Any = self._system.open(path, "rb", cache_type="none")
            self._before = self._state(path)
        except Exception as error:
            raise self._told(error) from error
        self._path: str = path
        self.size = int(self._before[0])

    def _state(self, path: str) -> tuple[Any, ...]:
        found = self._system.info(path)
        return found["size"], found.get("ETag"), str(found.get("LastModified") or found.get("last_write_time") or found.get("mtime") or "")

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        failure: Exception | None = None
        for attempt in range(ATTEMPTS):
            time.sleep(BACK_OFF * (2**attempt - 1))
            try:
                with self._lock:
                    self._stream.seek(offset)
                    data: bytes = self._stream.read(length)
            except Exception as error:
                failure = error
                if isinstance(error, FileNotFoundError | PermissionError) or type(error).__name__ == "FileExpired":
                    break
                continue
            if len(data) == length:
                return data
        raise self._told(failure) if failure else ImageError(f"{self._name}: changed on the server while it was read")

    def _told(self, error: Exception) -> ImageError:
        if isinstance(error, FileNotFoundError):
            return Missing(f"{self._name}: not found on the server", hint=self._hint)
        if isinstance(error, PermissionError):
            return ImageError(f"{self._name}: access is denied", hint=self._hint)
        if type(error).__name__ == "FileExpired":
            return ImageError(f"{self._name}: changed on the server while it was read", hint="check it again when it is finished")
        return ImageError(f"{self._name}: {type(error).__name__}: {str(error)[:300]}", hint=self._hint)

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        with contextlib.suppress(Exception):
            self._stream.close()


def _options(url: str) -> dict[str, str]:
    """The login of a share: the libraries of the stores find theirs by themselves."""
    if not url.startswith("smb:"):
        return {}
    found = {"username": os.environ.get("SMB_USERNAME", ""), "password": os.environ.get("SMB_PASSWORD", "")}
    return {name: value for name, value in found.items() if value}


def _open(hint: str, url: str) -> Ranges:
    return _File(url, hint)


_KINDS = (
    (("s3",), "s3", "s3fs", "logins: AWS_PROFILE, AWS_ACCESS_KEY_ID…, ~/.aws; another server than Amazon's: AWS_ENDPOINT_URL"),
    (("az", "abfs"), "azure", "adlfs", "logins: AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_NAME with a key or token"),
    (("smb",), "smb", "smbprotocol", "logins: SMB_USERNAME and SMB_PASSWORD, or Kerberos"),
    (("gs",), "gs", "gcsfs", "logins: GOOGLE_APPLICATION_CREDENTIALS"),
)
SCHEMES = tuple(Scheme(names, extra, module, partial(_open, hint)) for names, extra, module, hint in _KINDS)
