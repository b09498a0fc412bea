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


@dataclass(frozen=True, slots=True)
class TmpFiles:
    """``paths`` are made or changed themselves; in ``trees``, which do not end in a slash, anything may be."""

    paths: frozenset[str] = frozenset()
    trees: frozenset[str] = frozenset()


def tmpfiles(fs: GuestFS) -> TmpFiles:
    """Every active line. One whose path is a pattern, or not known, stands for the folder that it begins with."""
    found = {*_places(fs)}
    return TmpFiles(frozenset(path for path, whole in found if not whole), frozenset(path for path, whole in found if whole))


def _places(fs: GuestFS) -> Iterator[tuple[str, bool]]:
    host, count = host_values(fs), 0
    for text in filter(None, map(fs.text, layered(fs, _FOLDERS, ".conf"))):
        for line in text.content.splitlines():
            match, count = _LINE.match(line), count + 1
            if match is None or count > MAX_LINES:
                continue
            raw = match[2] or match[3] or match[4] or ""
            path = expanded(raw, "", host) or raw
            stop = _OPEN.search(path)
            known = path if stop is None else path[: stop.start()].rpartition("/")[0]
            yield "/".join(("", *(part for part in known.split("/") if part))), stop is not None or match[1] in _WHOLE
