"""Python packages installed by pip system-wide or into environments under /opt and /srv, found by their ``NAME-VERSION.dist-info``
folders."""

from __future__ import annotations

import itertools
import re

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import WholeFile

MAX_WHEELS = 5000
_FOLDERS = (
    "/usr/lib/python3*/site-packages", "/usr/lib64/python3*/site-packages", "/usr/lib/python3/dist-packages",
    "/usr/local/lib/python3*/dist-packages", "/usr/local/lib/python3*/site-packages", "/usr/local/lib64/python3*/site-packages",
    "/opt/*/lib/python3*/site-packages", "/srv/*/lib/python3*/site-packages",
)  # fmt: skip
_INFO = re.compile(r"(?P<name>[A-Za-z0-9_.]{1,80})-(?P<version>[A-Za-z0-9_.+!]{1,80})\.dist-info")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package. The name is in lower case, as spelled in the folder name; ``where`` is the folder."""

    name: str
    version: str
    where: WholeFile


@dataclass(frozen=True, slots=True)
class Wheels:
    """All of them."""

    found: tuple[Wheel, ...] = ()


@provides
def find_wheels(fs: GuestFS) -> Wheels:
    """Search the folders of the system's Pythons. Missing folders count as empty."""
    folders = [folder for pattern in _FOLDERS for folder in fs.glob(pattern)]
    names = ((folder, match) for folder in folders for name in fs.listdir(folder)[:MAX_WHEELS] if (match := _INFO.fullmatch(name)))
    found = (Wheel(match["name"].lower(), match["version"], WholeFile(f"{folder}/{match[0]}/METADATA")) for folder, match in names)
    return Wheels(tuple(itertools.islice(found, MAX_WHEELS)))
