"""``https://…`` and other URLs: images and definitions on a server. The parent reads ranges of them for the confined child."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.files.scheme import schemes
from v2vlint.files.urls import apart, has_password, plain, query_of, shown
from v2vlint.model.source import GuestRef
from v2vlint.source.door import Door
from v2vlint.source.entries import INSTEAD
from v2vlint.source.kind import kind_name

_LOGIN = "logins are taken from ~/.netrc, the environment or the files of the protocol: docs/remote.md"


def _find(argument: str, _connect: str) -> Iterator[GuestRef]:
    urls = apart(argument)
    name = "+".join(map(shown, urls))
    if any(map(has_password, urls)):
        problem = f"{name}: a password in a URL is seen by everybody on this host"
        yield GuestRef(name, "disks", (), problem=problem, hint=_LOGIN, unwritable=INSTEAD)
        return
    paths = tuple(map(plain, urls))
    kind = "disks" if len(paths) > 1 else kind_name(paths[0])
    queries = tuple((path, query_of(url)) for path, url in zip(paths, urls, strict=True) if query_of(url))
    yield GuestRef(name, kind, paths, unwritable=INSTEAD, queries=queries)


DOORS = (Door("url", "a file on a server", tuple(f"{name}://" for name in sorted(schemes())), _find),)
