"""``boot.ini``, NTLDR's configuration in Windows XP and 2003: the ARC path of the default entry.

``multi(0)disk(0)rdisk(1)partition(2)\\WINDOWS`` is the folder ``\\WINDOWS`` on the second partition of the BIOS's second disk. Primary
partitions are counted first, extended ones not at all, then logical ones. ``signature(…)`` names the disk by its signature, ``scsi(…)``
uses the driver ``ntbootdd.sys``. Without the file, or without a default, NTLDR uses ``\\WINDOWS`` on the first partition.
"""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.caseless import find_case
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.place import Where, WholeFile

_ARC = re.compile(r"(multi|scsi|signature)\((\w+)\)disk\((\d+)\)rdisk\((\d+)\)partition\((\d+)\)\\?([^\s=]*)", re.IGNORECASE)
_EXTENDED = frozenset({"0x05", "0x0f", "0x85"})
_FALLBACK = "multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS"


@dataclass(frozen=True, slots=True)
class BootIni:
    """The default entry: ``bus`` is ``multi``, ``scsi`` or ``signature`` (with ``signature`` in lower case), ``disk`` counts from 0,
    ``partition`` from 1, ``folder`` has no leading or trailing slash. ``bus`` is empty when the path is not understood. ``where`` is its
    line."""

    path: str
    bus: str
    signature: str
    disk: int
    partition: int
    folder: str
    where: Where


@provides
def parse_boot_ini(fs: GuestFS) -> BootIni:
    """Read what lies beside NTLDR; the fallback when there is no such file, or no default in it."""
    fs = fs.as_it_lies()
    top = next((one for one in ("/system-reserved", "") if find_case(fs, one, "ntldr")), "")
    path = find_case(fs, top, "boot.ini") or f"{top}/boot.ini"
    text = fs.text(path)
    for line in text.lines() if text else ():
        name, equals, value = line.text.partition("=")
        if equals and name.strip().lower() == "default":
            return _read(value.strip(), line.where)
    return _read(_FALLBACK, WholeFile(path))


def _read(path: str, where: Where) -> BootIni:
    match = _ARC.match(path)
    if match is None:
        return BootIni(path, "", "", 0, 0, "", where)
    bus, number, _disk, rdisk, partition, folder = match.groups()
    kind = bus.lower()
    signature = number.lower().rjust(8, "0") if kind == "signature" else ""
    return BootIni(path, kind, signature, decimal(rdisk), decimal(partition), folder.strip("\\").replace("\\", "/"), where)


def counted(disk: BlockDevice, blocks: BlockTable) -> tuple[BlockDevice, ...]:
    """The partitions of an MBR disk in the order NTLDR counts them."""
    parts = [one for one in blocks if one.kind == "partition" and one.disk == disk.disk and one.part_type.lower() not in _EXTENDED]
    return tuple(sorted(parts, key=lambda one: one.number))


def ini_disk(ini: BootIni, blocks: BlockTable) -> BlockDevice | None:
    """The disk that the entry names; None when it is not among the guest's disks."""
    if ini.bus == "signature":
        return next((disk for disk in blocks.disks if disk.detail("pt_uuid").lower() == ini.signature), None)
    disks = sorted(blocks.disks, key=lambda disk: disk.disk)
    return disks[ini.disk] if ini.disk < len(disks) else None
