"""The syntax of Proxmox VE's machine configuration (qm.conf(5)) and storage configuration (storage.cfg)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_CONF = 1 << 20
_LINE = re.compile(r"^([A-Za-z][\w-]*):[ \t]*(.*?)[ \t\r]*$")
_SECTION = re.compile(r"^\[([^\]]+)\][ \t\r]*$")
_STORAGE = re.compile(r"^(\w+):[ \t]*(\S+)[ \t\r]*$")
_PROPERTY = re.compile(r"^[ \t]+(\S+)(?:[ \t]+(.*?))?[ \t\r]*$")


@dataclass(frozen=True, slots=True)
class Conf:
    """The keys of the current configuration, each with its last value and place, and the names of the ``sections`` that follow."""

    values: Mapping[str, Token]
    sections: tuple[Token, ...]

    def get(self, key: str, default: str = "") -> str:
        """The value of a key, or ``default``."""
        token = self.values.get(key)
        return default if token is None else token.value

    def options(self, key: str, first: str = "") -> dict[str, str]:
        """The value of a key as options; see :func:`options`."""
        return options(self.get(key), first)


def read_conf(path: str, text: str) -> Conf:
    """Parse ``text``, whose places are in ``path``. Lines that do not match the syntax are ignored."""
    values: dict[str, Token] = {}
    sections: list[Token] = []
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        where = Span(path, start, start + len(line), number)
        start += len(line) + 1
        if section := _SECTION.match(line):
            sections.append(Token(section[1], where))
        elif not sections and (match := _LINE.match(line)):
            values[match[1]] = Token(match[2], where)
    return Conf(values, tuple(sections))


def options(text: str, first: str = "") -> dict[str, str]:
    """Split a property string ``a,b=c``. A word without ``=`` becomes the value of ``first``."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            found[key.strip()] = value.strip()
        elif part.strip():
            found.setdefault(first, part.strip())
    return found


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage: its type (``dir``, ``lvmthin``…) and properties."""

    kind: str
    properties: Mapping[str, str]

    def path(self, name: str, volume: str) -> str:
        """The host path of ``volume`` in this storage, called ``name``; empty when it is neither a file nor a device there."""
        last = volume.rpartition("/")[2]
        if self.kind in ("lvm", "lvmthin"):
            return f"/dev/{self.properties.get('vgname', '')}/{last}"
        if self.kind == "zfspool":
            return f"/dev/zvol/{self.properties.get('pool', '')}/{last}"
        # These types are mounted at /mnt/pve/NAME, and have their images below as "dir" has.
        folder = self.properties.get("path") or (f"/mnt/pve/{name}" if self.kind in ("nfs", "cifs", "cephfs", "glusterfs") else "")
        return f"{folder}/images/{'/'.join(volume.split('/')[-2:])}" if folder else ""


LOCAL = Storage("dir", {"path": "/var/lib/vz"})
"""The definition of ``local`` on a host whose storage.cfg does not override it."""


def read_storage(text: str) -> dict[str, Storage]:
    """The storages defined by a storage.cfg, by name."""
    found: dict[str, Storage] = {}
    properties: dict[str, str] = {}
    for line in text.split("\n"):
        if head := _STORAGE.match(line):
            properties = {}
            found[head[2]] = Storage(head[1], properties)
        elif match := _PROPERTY.match(line):
            properties[match[1]] = match[2] or ""
    return {"local": LOCAL, **found}
