"""Object stores, through fsspec and the library of each: ``s3://``, ``az://``, ``gs://``.

Logins come from where each library looks for them: AWS_* and ~/.aws, AZURE_STORAGE_*, Google's defaults.
"""

from __future__ import annotations

import contextlib
import posixpath
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from v2vlint.files import patience
from v2vlint.files.errors import FileMissing
from v2vlint.files.scheme import Ranges, RemoteEntry, Scheme
from v2vlint.files.urls import shown
from v2vlint.model.errors import ImageError

ATTEMPTS = 4
BACK_OFF = 0.5


class _File:
    """One object, opened once. After every range, the store is asked whether the object is still the same."""

    def __init__(self, url: str, hint: str) -> None:
        import fsspec

        self._name, self._hint, self._lock = shown(url), hint, threading.Lock()
        try:
            self._system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
            self._path: str = unquote(path)
            self._before = self._state()
            # Without a cache of its own: files.remote has one.
            self._stream: Any = self._system.open(self._path, "rb", cache_type="none")
            # s3fs requests ranges of the version that was opened (If-Match): nothing has to be asked after them.
            self._bound = "IfMatch" in (getattr(self._stream, "read_kw", None) or {})
        except Exception as error:
            raise self._told(error) from error
        self.size, self.state = int(self._before[0]), " ".join(filter(None, self._before[1:]))

    def _state(self) -> tuple[Any, ...]:
        """Its size, and what of its tag, number and time the store tells."""
        found = {name.lower(): value for name, value in self._system.info(self._path).items()}
        return found["size"], *(str(found.get(name) or "") for name in ("etag", "generation", "last_modified", "lastmodified", "mtime"))

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        return patience.within(self._name, lambda: self._read(offset, length), patience.of(length))

    def _read(self, offset: int, length: int) -> bytes:
        failure: Exception | None = None
        for attempt in range(ATTEMPTS):
            time.sleep(BACK_OFF * (2**attempt - 1))
            try:
                with self._lock:
                    self._stream.seek(offset)
                    data: bytes = self._stream.read(length)
                    state = self._before if self._bound else self._state()
            except Exception as error:
                failure = error
                # To ask again would not help.
                if isinstance(error, FileNotFoundError | PermissionError) or type(error).__name__ == "FileExpired":
                    break
                continue
            if state != self._before:
                raise self._changed()
            if len(data) == length:
                return data
        raise self._told(failure) if failure else self._changed()

    def _changed(self) -> ImageError:
        return ImageError(f"{self._name}: changed on the server while it was read", hint="check it again when it is finished")

    def _told(self, error: Exception) -> ImageError:
        return self._changed() if type(error).__name__ == "FileExpired" else _told(self._name, self._hint, error)

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        with contextlib.suppress(Exception):
            self._stream.close()


def _told(name: str, hint: str, error: Exception) -> ImageError:
    """The error as text."""
    if isinstance(error, FileNotFoundError):
        return FileMissing(f"{name}: not found on the server", hint=hint)
    if isinstance(error, PermissionError):
        return ImageError(f"{name}: access is denied", hint=hint)
    return ImageError(f"{name}: {type(error).__name__}: {str(error)[:300]}", hint=hint)


def _names(hint: str, url: str) -> Iterator[RemoteEntry]:
    """The entries of a folder, or those that follow from its objects' names."""
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
        folder = unquote(path).rstrip("/")
        found = system.ls(folder, detail=True)
    except Exception as error:
        raise _told(shown(url), hint, error) from error
    for one in found:
        above, name = posixpath.split(str(one["name"]).rstrip("/"))
        if name and above == folder:  # some stores list the folder itself, too
            yield RemoteEntry(name, one["type"] == "directory", int(one.get("size") or 0))


def _open(hint: str, url: str) -> Ranges:
    return _File(url, hint)


_KINDS = (
    (("s3",), "s3", "s3fs", "logins: AWS_PROFILE, AWS_ACCESS_KEY_ID…, ~/.aws; another server than Amazon's: AWS_ENDPOINT_URL"),
    (("az", "abfs"), "azure", "adlfs", "logins: AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_NAME with a key or token"),
    (("gs",), "gs", "gcsfs", "logins: GOOGLE_APPLICATION_CREDENTIALS"),
)
SCHEMES = tuple(Scheme(names, extra, module, partial(_open, hint), partial(_names, hint)) for names, extra, module, hint in _KINDS)
