"""What systemd-tmpfiles-setup.service may make, fill, change or remove at boot, before sysinit.target: tmpfiles.d(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.syntax.layers import layered
from v2vlint.facts.systemd.specifiers import expanded, host_values
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

_FOLDERS = tuple(f"{top}/tmpfiles.d" for top in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"))
_LINE = re.compile(r"""\s*([A-Za-z])[^\s]*\s+(?:"([^"]*)"|'([^']*)'|(\S+))""")
_WHOLE = frozenset("CLRDZ")
"""Types that copy, link, empty, remove or change a whole tree."""
_OPEN = re.compile(r"[%*?\[\\{]")
MAX_LINES = 20_000
PATH_MAX = 4096
"""Of the kernel, with the byte that ends a path."""


@dataclass(frozen=True, slots=True)
class TmpFiles:
    """``paths`` are made or changed themselves; in ``trees``, which do not end in a slash, anything may be."""

    paths: frozenset[str] = frozenset()
    trees: frozenset[str] = frozenset()


def tmpfiles(fs: GuestFS) -> TmpFiles:
    """Every active line. One whose path is a pattern, or not known, stands for the folder that it begins with; lines beyond
    :data:`MAX_LINES` for everything.
    """
    found = {*_places(fs)}
    return TmpFiles(frozenset(path for path, whole in found if not whole), frozenset(path for path, whole in found if whole))


def _places(fs: GuestFS) -> Iterator[tuple[str, bool]]:
    host, count = host_values(fs), 0
    for text in filter(None, map(fs.text, layered(fs, _FOLDERS, ".conf"))):
        for line in text.content.splitlines():
            match, count = _LINE.match(line), count + 1
            if count > MAX_LINES:
                yield "", True
                return
            if match is not None and len(raw := match[2] or match[3] or match[4] or "") < PATH_MAX:
                path = expanded(raw, "", host) or raw
                stop = _OPEN.search(path)
                known = path if stop is None else path[: stop.start()].rpartition("/")[0]
                yield "/".join(("", *parts(known))), stop is not None or match[1] in _WHOLE


def parts(path: str) -> list[str]:
    """The names in a path as path_simplify() leaves them."""
    return [part for part in path.split("/") if part not in ("", ".")]
