"""The disks of a libvirt domain: their buses, and libvirt's order, in which the machine gets them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from v2vlint.model.disk_letters import index_of

_NAME = re.compile(r"(?:fd|hd|vd|sd|xvd|ubd)([a-z]{1,4})\d*")
_GUESSED = (("vd", "virtio"), ("sd", "scsi"), ("xvd", "xen"), ("hd", "ide"), ("fd", "fdc"))


def disk_bus(disk: Element) -> str:
    """The bus of a disk, guessed from its name as libvirt does if it is not stated; empty for a name that tells nothing."""
    name = _attribute(disk, "dev")
    return _attribute(disk, "bus") or next((bus for prefix, bus in _GUESSED if name.startswith(prefix)), "")


def in_order(disks: Iterable[Element]) -> list[Element]:
    """The disks in libvirt's order after reading the file: by bus, then by name (virDomainDiskInsert)."""
    buses: dict[str, list[Element]] = {}
    for disk in disks:
        buses.setdefault(disk_bus(disk), []).append(disk)
    return [disk for found in buses.values() for disk in sorted(found, key=_position)]


def _position(disk: Element) -> int:
    """The number in the name of a disk: ``vda`` is 0, ``vdaa`` 26; 0 for any other name."""
    match = _NAME.fullmatch(_attribute(disk, "dev"))
    return index_of(match[1]) if match else 0


def _attribute(disk: Element, name: str) -> str:
    target = disk.find("target")
    return "" if target is None else target.get(name, "")
