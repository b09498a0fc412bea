"""URLs as names of files: their parts, what lies in the same folder, and what of them may be shown."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote, urlsplit, urlunsplit

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_url(path: str) -> bool:
    """Whether ``path`` is a URL."""
    return _URL.match(path) is not None


def scheme_of(url: str) -> str:
    """Its scheme, in lower case."""
    return url.partition("://")[0].lower()


def plain(url: str) -> str:
    """The URL in one way of writing it, without dots and double slashes in its path, and without query and fragment."""
    parts = urlsplit(url)
    path = posixpath.normpath(parts.path).replace("//", "/") if parts.path else "/"
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, "", ""))


def shown(url: str) -> str:
    """What messages and reports call it: no password, no query, which may hold a signature or a token."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, "", ""))


def has_password(url: str) -> bool:
    """Whether a password is written in it."""
    return ":" in urlsplit(url).netloc.rpartition("@")[0]


def query_of(url: str) -> str:
    """Its query, without the question mark."""
    return urlsplit(url).query


def folder_of(url: str) -> str:
    """The folder that it is in."""
    return posixpath.dirname(plain(url))


def is_in(folder: str, url: str) -> bool:
    """Whether a plain URL lies in or below a folder on the same server. What an escape could hide (``%2e%2e``, ``%2f``) does not.

    The top of a server, or of a bucket, counts as a folder only for what lies right in it.
    """
    top = not urlsplit(folder).path.strip("/")
    below = url.removeprefix(f"{folder.rstrip('/')}/")
    decoded = unquote(below)
    hidden = decoded.count("/") != below.count("/") or "\\" in decoded
    return below != url and not hidden and not (top and "/" in below) and not any(part.startswith(".") for part in decoded.split("/"))
