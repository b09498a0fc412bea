"""Device-mapper multipath (multipath.conf(5)): ``/etc/multipath.conf``, its drop-ins, and the ``bindings`` and ``wwids`` files::

multipaths {
    multipath {
        wwid  3600508b400105e210000900000490000
        alias data
    }
}
"""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token, WholeFile

CONF = "/etc/multipath.conf"
DROP_INS = "/etc/multipath/conf.d"
BINDINGS = ("/etc/multipath/bindings", "/var/lib/multipath/bindings")
WWIDS = "/etc/multipath/wwids"
_ALIAS = re.compile(r'\s*alias\s+"?([^"\s]+)"?')
_NAME = re.compile(r"/dev/(?:mapper|mpath)/(?P<name>mpath\w+|[0-9a-f]{17}|[0-9a-f]{33})(?:(?:-part|_part|p)?\d+)?")
_ALIASED = re.compile(r"/dev/(?:mapper|mpath)/(?P<name>.+?)(?:(?:-part|_part|p)?\d+)?")


@dataclass(frozen=True, slots=True)
class Multipath:
    """``aliases`` are the map names from configuration or bindings, ``wwids`` the known disks; ``files`` are the files that exist."""

    aliases: tuple[Token, ...] = ()
    wwids: tuple[Token, ...] = ()
    files: tuple[WholeFile, ...] = ()

    def is_multipath(self, spec: str) -> bool:
        """Whether a device path names a multipath map or a partition of one."""
        if _NAME.fullmatch(spec) or spec.startswith("/dev/disk/by-id/dm-uuid-mpath-"):
            return True
        names = {alias.value for alias in self.aliases}
        match = _ALIASED.fullmatch(spec)
        return bool(match) and (spec.rsplit("/", 1)[1] in names or match["name"] in names) if match else False


@provides
def parse_multipath(fs: GuestFS) -> Multipath:
    """The guest's multipath configuration. Missing files count as empty."""
    paths = [CONF, *(f"{DROP_INS}/{name}" for name in fs.listdir(DROP_INS) if name.endswith(".conf"))]
    aliases = [token for path in paths for token in _matches(fs, path, _ALIAS)]
    aliases += [token for path in BINDINGS for token in _first_words(fs, path)]
    files = tuple(WholeFile(path) for path in (*paths, *BINDINGS, WWIDS) if fs.is_file(path))
    return Multipath(tuple(aliases), tuple(_first_words(fs, WWIDS)), files)


def _matches(fs: GuestFS, path: str, pattern: re.Pattern[str]) -> list[Token]:
    text = fs.text(path)
    found = [(line, pattern.match(line.text)) for line in text.lines() if not line.is_blank("#!")] if text else []
    return [line.group(match, 1) for line, match in found if match]


def _first_words(fs: GuestFS, path: str) -> list[Token]:
    text = fs.text(path)
    return [line.words()[0] for line in text.lines() if not line.is_blank()] if text else []
