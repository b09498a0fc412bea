"""``sftp://user@host/path``: through the ssh program, with its configuration, keys and known hosts.

For a running machine, the query has the ``server`` to run there as root, and the ``size`` of a block device; both are set by v2vlint
itself. ``sftp+list://`` is the list of a folder, as JSON, ``sftp+link://`` the target of a link, and ``sftp+ahead://`` what rules read on
every machine, in one archive: a child reads a tree through them.
"""

from __future__ import annotations

import json
import shlex
import stat
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

from v2vlint.files import patience
from v2vlint.files.scheme import Ranges, RemoteEntry, Scheme
from v2vlint.files.sftp import AS_ROOT, Login, Sftp
from v2vlint.model.errors import ImageError

_LINKS = 256
AGAIN = 20.0
"""Seconds after a failed login until the next one."""
_failed: dict[str, tuple[float, ImageError]] = {}
_sessions: dict[str, Sftp] = {}
_options: dict[str, tuple[str, ...]] = {}
_lock = threading.Lock()


def _session(url: str) -> Sftp:
    """The session with a server, shared by all its files."""
    parts = urlsplit(url)
    server = parse_qs(parts.query).get("server", [""])[0]
    login = _login(url)
    command = login.command(AS_ROOT.format(shlex.quote(server))) if server else login.command("sftp", "-s")
    key = shlex.join(command)
    with _lock:
        if key not in _sessions or _sessions[key].ended:
            since, failed = _failed.get(key, (-AGAIN, None))
            # A machine's files are asked for one by one, and each would wait for the login.
            if failed is not None and time.monotonic() - since < AGAIN:
                raise type(failed)(failed.message, hint=failed.hint)
            began = time.monotonic()
            try:
                _sessions[key] = Sftp(command, f"sftp://{parts.netloc}")
            except ImageError as error:
                _failed[key] = time.monotonic(), patience.judged(error, began)
                raise
        return _sessions[key]


def register(place: str, options: tuple[str, ...]) -> None:
    """Set options of the ssh command for ``user@host:port``. URLs cannot contain any: otherwise a list of URLs could run programs here."""
    _options[place] = options


def _login(url: str) -> Login:
    parts = urlsplit(url)
    return Login(parts.hostname or "", parts.username or "", parts.port or 0, _options.get(parts.netloc, ()))


def _path(url: str) -> bytes:
    return unquote(urlsplit(url).path, errors="surrogateescape").encode("utf-8", "surrogateescape")


class _File:
    def __init__(self, url: str) -> None:
        stated = parse_qs(urlsplit(url).query).get("size")
        self._path, self._session = _path(url), _session(url)
        self._handle, found, self._begin = self._session.open(self._path)
        # A block device reports size 0; whoever opens one knows its size.
        self.size = int(stated[0]) if stated else found.size
        self.state = "" if stated else str(found.mtime or "")

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        if offset + length <= len(self._begin):
            return self._begin[offset : offset + length]
        action = partial(self._session.read, self._path, self._handle, offset, length)
        data = patience.within(self._session.name, action, patience.of(length), self._session.kill)
        if len(data) != length:
            raise ImageError(f"{self._path.decode('utf-8', 'replace')}: changed on the server while it was read")
        return data

    def close(self) -> None:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        self._session.shut(self._handle)


class _Answer:
    """An answer of the server that is not a file."""

    state = ""

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.files.scheme.Ranges`."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Nothing to close."""


def _list(url: str) -> Ranges:
    """Names, types, and link targets. The targets are included because whoever lists a folder of links follows them."""
    session, folder = _session(url), _path(url)
    found = list(session.names(folder))
    links = [name for name, one in found if stat.S_ISLNK(one.mode)][:_LINKS]
    targets = dict(zip(links, session.readlinks([folder.rstrip(b"/") + b"/" + name for name in links]), strict=True)) if links else {}
    rows = [[_text(name), one.mode, one.size, one.uid, one.gid, one.mtime, _text(targets.get(name) or b"")] for name, one in found]
    return _Answer(json.dumps(rows).encode())


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _link(url: str) -> Ranges:
    return _Answer(_session(url).readlink(_path(url)))


def _names(url: str) -> Iterator[RemoteEntry]:
    """The entries of a folder, for a search."""
    for name, found in _session(url).names(_path(url)):
        is_folder = stat.S_ISDIR(found.mode)
        kind = "a link, which is not followed on a server" if stat.S_ISLNK(found.mode) else "not a regular file"
        yield RemoteEntry(_text(name), is_folder, found.size, "" if is_folder or stat.S_ISREG(found.mode) else kind)


def _ahead(url: str) -> Ranges:
    """The files that rules always read, in one archive."""
    from v2vlint.files.ahead import Ahead

    return Ahead(_login(url).command(AS_ROOT.format("sh -s"), "-C"), f"ssh://{urlsplit(url).netloc}")


_KINDS: tuple[tuple[str, Callable[[str], Ranges]], ...] = (
    ("sftp", _File),
    ("sftp+list", _list),
    ("sftp+link", _link),
    ("sftp+ahead", _ahead),
)
SCHEMES = tuple(Scheme((name,), "", "", kind, _names if name == "sftp" else None, folders=True) for name, kind in _KINDS)
