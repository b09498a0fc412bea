"""GRUB's ``device.map``: BIOS drives and the devices the installer took them for::

(hd0)   /dev/sda
(hd1)   /dev/disk/by-id/scsi-36000c29…
"""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

PATHS = ("/boot/grub/device.map", "/boot/grub2/device.map")
_LINE = re.compile(r"\s*\(?(\w+)\)?\s+(\S+)")


@dataclass(frozen=True, slots=True)
class DriveMapping:
    """One line: the BIOS drive (``hd0``) and the device."""

    drive: str
    device: Token


@dataclass(frozen=True, slots=True)
class DeviceMap:
    """All lines of all device maps; a map that is a link to another counts once."""

    drives: tuple[DriveMapping, ...] = ()


@provides
def parse_device_map(fs: GuestFS) -> DeviceMap:
    """The guest's device maps. Missing files count as empty."""
    paths = {fs.resolve(path): path for path in reversed(PATHS) if fs.is_file(path)}
    found: list[DriveMapping] = []
    for path in sorted(paths.values()):
        text = fs.text(path)
        for line in text.lines() if text else ():
            match = None if line.is_blank() else _LINE.match(line.text)
            if match:
                found.append(DriveMapping(match[1], line.group(match, 2)))
    return DeviceMap(tuple(found))
