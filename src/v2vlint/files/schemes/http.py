"""``https://`` and ``http://``, through urllib3: ranges of one file, which must not change while it is read."""

from __future__ import annotations

import contextlib
import netrc
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from v2vlint.files.errors import FileMissing
from v2vlint.files.scheme import Ranges, Scheme
from v2vlint.files.urls import shown
from v2vlint.model.errors import ImageError

MAX_WHOLE = 16 << 20
"""A server without ranges sends a file whole; up to this size that is good enough."""
ATTEMPTS = 5
BACK_OFF = 0.25
TIMEOUT = 30.0
# The first request brings the size, and what is read first anyway: headers and partition tables.
_FIRST = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REASONS = {
    401: ("the server asks for a login", "put it into ~/.netrc"),
    403: ("the server refuses access (403)", "a signed URL may have expired; logins are taken from ~/.netrc"),
    404: ("not found on the server (404)", ""),
    410: ("not found on the server any more (410)", ""),
}


class HttpFile:
    """One file on a server; ``name`` is its name in messages. ``headers`` and ``pool`` are those of a session, if there is one."""

    def __init__(self, url: str, name: str = "", headers: Mapping[str, str] | None = None, pool: Any = None) -> None:
        import urllib3

        self._url = self._now = url
        self._name, self._headers = name or shown(url), headers
        self._pool = pool or _pool(url)
        self._errors = (urllib3.exceptions.HTTPError, OSError)
        self._whole: bytes | None = None
        self._state: tuple[str, str, int] | None = None  # a weak tag (RFC 9110, 8.8.1) proves less than the time
        self._begin = self._ranged(0, _FIRST)
        self.size = len(self._whole) if self._whole is not None else self._state[2] if self._state else 0
        tag, time_of_change, _size = self._state or ("", "", 0)
        self.state = tag if tag and not tag.startswith("W/") else time_of_change

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        if self._whole is not None:
            return self._whole[offset : offset + length]
        if offset + length <= len(self._begin):
            return self._begin[offset : offset + length]
        return self._ranged(offset, length)

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        self._pool.clear()

    def _ranged(self, offset: int, length: int) -> bytes:
        reason = ""
        for attempt in range(ATTEMPTS):
            time.sleep(BACK_OFF * (2**attempt - 1))
            try:
                data = self._asked(offset, length)
            except self._errors as error:
                reason = str(getattr(error, "reason", error)).rpartition("> ")[2].rpartition("): ")[2][:300] or type(error).__name__
                continue
            if data is not None:
                return data
            reason = "the server is busy or failing"
        raise ImageError(f"{self._name}: no answer after {ATTEMPTS} attempts: {reason}", hint="check the network, and try again")

    def _asked(self, offset: int, length: int) -> bytes | None:
        """One attempt; None when it should be retried."""
        # identity: a range counts the bytes of what is sent, compressed or not.
        headers = {"Range": f"bytes={offset}-{offset + length - 1}", "Accept-Encoding": "identity", **self._proof()}
        response = self._pool.request("GET", self._now, headers=headers, preload_content=False, timeout=TIMEOUT, retries=_redirects())
        try:
            return self._answered(response, offset, length)
        finally:
            # A 200 may be a whole disk: it is not read to its end for the sake of the connection.
            response.drain_conn() if response.status != 200 else response.close()
            response.release_conn()

    def _proof(self) -> Mapping[str, str]:
        """The headers that authenticate: those of the session, but only on its own server."""
        if self._headers is None:
            return _login(self._now)
        return self._headers if urlsplit(self._now).netloc == urlsplit(self._url).netloc else {}

    def _answered(self, response: Any, offset: int, length: int) -> bytes | None:
        if response.status in _TRANSIENT:
            return None
        if response.status in _REASONS and self._now != self._url:
            self._now = self._url  # the target of a redirect may be valid for a short time only
            return None
        if response.status in _REASONS:
            reason, hint = _REASONS[response.status]
            kind = FileMissing if response.status in (404, 410) else ImageError
            raise kind(f"{self._name}: {reason}", hint=hint)
        self._follow(response)
        if response.status == 206:
            return self._part(response, offset, length)
        # An empty file has no range that could be sent.
        if response.status == 416 and not offset:
            self._whole = b""
            return b""
        if response.status == 200 and self._state is None:
            self._whole = self._small(response)
            return self._whole
        raise ImageError(f"{self._name}: the server answers with {response.status}")

    def _follow(self, response: Any) -> None:
        final = self._now
        for step in response.retries.history if response.retries else ():
            final = urljoin(final, step.redirect_location or "")
        if urlsplit(self._url).scheme == "https" and urlsplit(final).scheme != "https":
            raise ImageError(f"{self._name}: redirected to a place without TLS", hint="give the address that it leads to")
        self._now = final

    def _part(self, response: Any, offset: int, length: int) -> bytes | None:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != offset:
            raise ImageError(f"{self._name}: the server answers with another range than it was asked for")
        state = (response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""), int(match[3]))
        if self._state is not None and state != self._state:
            raise ImageError(f"{self._name}: changed on the server while it was read", hint="check it again when it is finished")
        wanted = min(length, state[2] - offset)
        data: bytes = response.read(wanted)
        if len(data) != wanted:
            return None
        self._state = state
        return data

    def _small(self, response: Any) -> bytes:
        """A whole file. ImageError when it is larger than the limit for keeping it in memory."""
        data: bytes = response.read(MAX_WHOLE + 1)
        if len(data) > MAX_WHOLE:
            hint = "download it, or serve it with a server that has ranges (nginx, Apache, MinIO)"
            raise ImageError(f"{self._name}: the server has no ranges, and sends only all of it", hint=hint)
        return data


def _redirects() -> Any:
    from urllib3 import Retry

    # Only redirects are left to urllib3; _ranged counts the attempts.
    return Retry(total=None, connect=0, read=0, status=0, other=0, redirect=8)


def _pool(url: str) -> Any:
    """Connections, through the proxy in the environment."""
    import urllib3

    parts = urlsplit(url)
    proxy = "" if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme, "")
    return urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()


def _login(url: str) -> dict[str, str]:
    """The header for the login in ~/.netrc for the server; sent over TLS only."""
    from urllib3.util import make_headers

    parts = urlsplit(url)
    found = None
    if parts.scheme == "https":
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            found = netrc.netrc().authenticators(parts.hostname or "")
    return make_headers(basic_auth=f"{found[0]}:{found[2]}") if found else {}


def _open(url: str) -> Ranges:
    return HttpFile(url)


SCHEMES = (Scheme(("https", "http"), "http", "urllib3", _open),)
