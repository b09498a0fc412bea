"""URLs as names of files: their parts, what lies in the same folder, and what of them may be shown."""

from __future__ import annotations

import os
import posixpath
import re
from urllib.parse import SplitResult, quote, unquote, urlsplit

_NEXT = re.compile(r"\+(?=[a-z0-9+]+://)")
_NBD = ("nbd", "nbds", "nbd+unix", "nbds+unix")
"""The query of these is where the server is, and no secret."""
_KEPT = "!$&'()*+,;=:@[]|~"
"""Characters that are not escaped in a path; all others are, so that every name has a single spelling."""
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_url(path: str) -> bool:
    """Whether ``path`` is a URL."""
    return _URL.match(path) is not None


def scheme_of(url: str) -> str:
    """Its scheme, in lower case."""
    return url.partition("://")[0].lower()


def plain(url: str) -> str:
    """The URL in one way of writing it, without dots and double slashes in its path, and without a query that may be secret."""
    parts = urlsplit(url)
    # The percent sign stays: what is escaped already is not escaped twice.
    path = quote(posixpath.normpath(parts.path).replace("//", "/"), safe=f"/%{_KEPT}") if parts.path else "/"
    return _joined(parts.scheme.lower(), parts.netloc, path, _place(parts))


def shown(url: str) -> str:
    """What messages and reports call it: no password, no query, which may hold a signature or a token."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return _joined(parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, _place(parts))


def _joined(scheme: str, place: str, path: str, query: str) -> str:
    """The parts of a URL, which begins with ``//`` also when it names no server (``nbd+unix``)."""
    return f"{scheme}://{place}{path}{f'?{query}' if query else ''}"


def apart(text: str) -> tuple[str, ...]:
    """The URLs in a text where they are joined by ``+``."""
    found: list[str] = []
    for part in _NEXT.split(text):
        if found and "://" not in found[-1]:
            found[-1] += f"+{part}"
        else:
            found.append(part)
    return tuple(found)


def has_password(url: str) -> bool:
    """Whether a password is written in it."""
    return ":" in urlsplit(url).netloc.rpartition("@")[0]


def query_of(url: str) -> str:
    """Its query, without the question mark; empty when that is a part of its name."""
    parts = urlsplit(url)
    return "" if _place(parts) else parts.query


def _place(parts: SplitResult) -> str:
    return parts.query if parts.scheme.lower() in _NBD else ""


def folder_of(url: str) -> str:
    """The folder that it is in."""
    return posixpath.dirname(plain(url))


def beside(path: str, name: str) -> str:
    """What the file at ``path``, maybe a URL, means by ``name``. An absolute name is one of the same host, where that has such."""
    if not is_url(path):
        return os.path.join(os.path.dirname(path), name)  # noqa: PTH118, PTH120
    if name.startswith("/") and scheme_of(path) != "sftp":
        return name
    parts, written = urlsplit(path), quote(name, safe=f"/{_KEPT}")
    return f"{parts.scheme}://{parts.netloc}{posixpath.join(posixpath.dirname(parts.path), written)}"


def child_of(folder: str, name: str) -> str:
    """The entry ``name`` of the folder at ``folder``."""
    return f"{folder.rstrip('/')}/{quote(name, safe=_KEPT, errors='surrogateescape')}"


def is_in(folder: str, url: str) -> bool:
    """Whether a plain URL lies in or below a folder on the same server. What an escape could hide (``%2e%2e``, ``%2f``) does not.

    The top of a server, or of a bucket, counts as a folder only for what lies right in it, unless it was named itself: ``s3://bucket/``.
    """
    top = not urlsplit(folder).path
    below = url.removeprefix(f"{folder.rstrip('/')}/")
    decoded = unquote(below)
    hidden = decoded.count("/") != below.count("/") or "\\" in decoded
    return below != url and not hidden and not (top and "/" in below) and not any(part.startswith(".") for part in decoded.split("/"))
