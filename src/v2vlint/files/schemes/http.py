"""``https://`` and ``http://``, through urllib3: ranges of one file, which must not change while it is read."""

from __future__ import annotations

import contextlib
import netrc
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from v2vlint.files.errors import FileMissing, NoAnswer
from v2vlint.files.scheme import Ranges, Scheme
from v2vlint.files.urls import shown
from v2vlint.model.errors import ImageError

MAX_WHOLE = 16 << 20
"""A server without ranges sends a file whole; up to this size that is good enough."""
ATTEMPTS = 5
BACK_OFF = 0.25
CONNECTION, TIMEOUT = 10.0, 30.0
"""Seconds for a connection, and between two pieces of an answer."""
DEADLINE = 50.0
"""Seconds after which no attempt is made any more."""
PATIENCE = 60.0
"""Seconds for an answer, and as many more as its bytes may take at SLOWEST."""
SLOWEST = 16 << 10
"""Bytes a second."""
_STEP = 1 << 16
# The first request brings the size, and what is read first anyway: headers and partition tables.
_FIRST = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_LIMIT = re.compile(r"\.? \((connect|read) timeout=[^)]*\)")
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
        reason, tried, end = "", 0, time.monotonic() + DEADLINE
        for attempt in range(ATTEMPTS):
            time.sleep(BACK_OFF * (2**attempt - 1))
            if (left := end - time.monotonic()) <= 0:
                break
            tried += 1
            try:
                return self._answered(self._asked(offset, length, left), offset, length)
            except _Again as again:
                reason = str(again)
            except self._errors as error:
                reason = _reason(error)
        raise NoAnswer(f"{self._name}: no answer after {tried} attempts: {reason}", hint="check the network, and try again")

    def _asked(self, offset: int, length: int, left: float) -> _Answer:
        """One attempt, in the ``left`` seconds as far as the server is silent."""
        from urllib3 import Timeout

        # identity: a range counts the bytes of what is sent, compressed or not.
        headers = {"Range": f"bytes={offset}-{offset + length - 1}", "Accept-Encoding": "identity", **self._proof()}
        limit = Timeout(connect=min(CONNECTION, left), read=min(TIMEOUT, left))
        url, whole = self._now, MAX_WHOLE + 1 if self._state is None else 0

        def request() -> Any:
            return self._pool.request("GET", url, headers=headers, preload_content=False, timeout=limit, retries=_redirects())

        answer = _Answer(request, {206: length, 200: whole})
        if not answer.arrived():
            slow = f"{self._name}: the server sends less than {SLOWEST >> 10} KiB a second"
            raise NoAnswer(slow, hint="check the network, or download it first")
        return answer

    def _proof(self) -> Mapping[str, str]:
        """The headers that authenticate: those of the session, but only on its own server."""
        if self._headers is None:
            return _login(self._now)
        return self._headers if urlsplit(self._now).netloc == urlsplit(self._url).netloc else {}

    def _answered(self, answer: _Answer, offset: int, length: int) -> bytes:
        if answer.status in _TRANSIENT:
            raise _Again("the server is busy or failing")
        if answer.status in _REASONS and self._now != self._url:
            self._now = self._url  # the target of a redirect may be valid for a short time only
            raise _Again("the place that it redirects to refuses access")
        if answer.status in _REASONS:
            reason, hint = _REASONS[answer.status]
            kind = FileMissing if answer.status in (404, 410) else ImageError
            raise kind(f"{self._name}: {reason}", hint=hint)
        self._follow(answer)
        self._as_it_is(answer)
        if answer.status == 206:
            return self._part(answer, offset, length)
        # An empty file has no range that could be sent.
        if answer.status == 416 and not offset:
            self._whole = b""
            return b""
        if answer.status == 200 and self._state is None:
            self._whole = self._small(answer)
            return self._whole
        raise ImageError(f"{self._name}: the server answers with {answer.status}")

    def _follow(self, answer: _Answer) -> None:
        final = self._now
        for place in answer.redirects:
            final = urljoin(final, place)
        if urlsplit(self._url).scheme == "https" and urlsplit(final).scheme != "https":
            raise ImageError(f"{self._name}: redirected to a place without TLS", hint="give the address that it leads to")
        self._now = final

    def _as_it_is(self, answer: _Answer) -> None:
        """ImageError when the bytes are not the file's. A file that is compressed itself may be sent as an encoding of something else."""
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        own = encoding in ("gzip", "x-gzip") and urlsplit(self._now).path.lower().endswith(".gz")
        if answer.status in (200, 206) and encoding not in ("", "identity") and not own:
            said = f"{self._name}: the server sends it compressed ({encoding[:40]}), although it was asked not to"
            raise ImageError(said, hint="switch off compression for disk images there, or download it")

    def _part(self, answer: _Answer, offset: int, length: int) -> bytes:
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != offset:
            raise ImageError(f"{self._name}: the server answers with another range than it was asked for")
        state = (answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""), int(match[3]))
        if self._state is not None and state != self._state:
            raise ImageError(f"{self._name}: changed on the server while it was read", hint="check it again when it is finished")
        wanted = min(length, state[2] - offset)
        if len(answer.data) < wanted:
            raise _Again("the server sends less than it was asked for")
        self._state = state
        return answer.data[:wanted]

    def _small(self, answer: _Answer) -> bytes:
        """A whole file. ImageError when it is larger than the limit for keeping it in memory, or incomplete."""
        if len(answer.data) > MAX_WHOLE:
            hint = "download it, or serve it with a server that has ranges (nginx, Apache, MinIO)"
            raise ImageError(f"{self._name}: the server has no ranges, and sends only all of it", hint=hint)
        return answer.data


def _reason(error: Exception) -> str:
    """The words of an error of urllib3, without the objects and our own limits in them."""
    reason = getattr(error, "reason", error)
    last = reason.args[-1] if isinstance(reason, Exception) and reason.args else reason
    words = _LIMIT.sub("", str(last).rpartition("> ")[2].rpartition("): ")[2])
    return words[:300] or type(error).__name__


class _Again(Exception):
    """An attempt that may succeed later; the message says why it did not."""


class _Answer:
    """An answer on its way. It is received in a thread of its own, because a server that sends a byte now and then never meets the timeout
    of a socket. ``most`` says how many bytes of the body are read, by status.
    """

    def __init__(self, request: Callable[[], Any], most: Mapping[int, int]) -> None:
        self.status, self.headers, self.redirects = 0, dict[str, str](), tuple[str, ...]()
        self._request, self._most, self._parts = request, most, list[bytes]()
        self._response: Any = None
        self._error: BaseException | None = None

    @property
    def data(self) -> bytes:
        """The bytes that were read."""
        return b"".join(self._parts)

    def arrived(self) -> bool:
        """Wait for it. False when it comes too slowly; what the request raises is raised."""
        started = time.monotonic()
        thread = threading.Thread(target=self._receive, name="v2vlint-answer", daemon=True)
        thread.start()
        while thread.is_alive():
            left = started + PATIENCE + sum(map(len, self._parts)) / SLOWEST - time.monotonic()
            if left <= 0:
                # Ends the thread if the headers are there; it would otherwise read as long as the server sends. urllib3 has it since
                # 2.3, and refuses when the thread has just given the connection back.
                with contextlib.suppress(ValueError, RuntimeError):
                    getattr(self._response, "shutdown", bool)()
                return False
            thread.join(left)
        if self._error is not None:
            raise self._error
        return True

    def _receive(self) -> None:
        try:
            response = self._response = self._request()
            try:
                self._read(response)
                # What is left of a 200 may be a whole disk: only a short rest is read for the sake of the connection.
                ended = response.status != 200 and len(response.read(_STEP, decode_content=False)) < _STEP
            except BaseException:
                response.close()
                raise
            if not ended:
                response.close()
            response.release_conn()
        except Exception as error:
            self._error = error

    def _read(self, response: Any) -> None:
        steps = response.retries.history if response.retries else ()
        self.redirects = tuple(step.redirect_location or "" for step in steps)
        # Header names are compared without case.
        self.status, self.headers = response.status, response.headers
        rest = self._most.get(self.status, 0)
        while rest > 0 and (part := response.read(min(rest, _STEP), decode_content=False)):
            self._parts.append(part)
            rest -= len(part)


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
