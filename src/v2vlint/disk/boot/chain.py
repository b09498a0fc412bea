"""How a BIOS gets from a disk's first sector to a boot loader: boot code, active partition, its boot sector, and what that loads."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace

from v2vlint.disk.boot import grub2, grub_legacy, syslinux
from v2vlint.disk.boot.disks import Disks
from v2vlint.disk.boot.sector import SIGNATURE, SIZE, code_of, family, mbr_choice, takes_the_first
from v2vlint.disk.stream import Stream
from v2vlint.disk.volumes.table import MBR_ENTRIES, MBR_ENTRY
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.boot_chain import TITLES, BootChain
from v2vlint.model.dataclass import dataclass

MAX_STEPS = 4
# altmbr.bin of SYSLINUX boots the partition whose number follows its 439 bytes of code.
_NUMBER_AT = 439
_ACTIVE = 7


def follow(streams: Mapping[int, Stream], partitions: Sequence[BlockDevice], read: grub_legacy.ReadFile) -> tuple[BootChain, ...]:
    """The boot chain of every disk. A chain through damaged bytes is reported as not understood."""
    walker = _Walker(Disks(streams, partitions), read)
    return tuple(walker.disk(disk) for disk in sorted(streams))


@dataclass(frozen=True, slots=True)
class _Boot:
    """A place where boot code may continue: the start of a partition, and what to call it in messages."""

    sector: int
    name: str


@dataclass(frozen=True)
class _Walker:
    disks: Disks
    read: grub_legacy.ReadFile

    def disk(self, disk: int) -> BootChain:
        sector = self.disks.read(disk, 0)
        if sector[SIZE - 2 :] != SIGNATURE:
            has = "has no boot sector" if any(sector) else "has an empty boot sector"
            return BootChain(disk, "none", False, f"disk{disk + 1} {has}")
        try:
            return self._sector(disk, 0, sector, f"disk{disk + 1}", 0)
        except (struct.error, ValueError, IndexError, OSError) as error:
            return BootChain(disk, family(code_of(sector)), None, f"the boot code of disk{disk + 1} could not be followed: {error}")

    def _sector(self, disk: int, base: int, sector: bytes, place: str, depth: int) -> BootChain:
        code = code_of(sector)
        if code == "grub2":
            return grub2.follow(self.disks, disk, sector, place)
        if code == "grub-legacy":
            return grub_legacy.follow(self.disks, disk, sector, place, self.read)
        if code == "syslinux":
            return syslinux.follow(self.disks, disk, base, sector, place)
        if code in ("windows", "dos"):
            return BootChain(disk, code, True, f"{place} has the boot code of {TITLES[code]}", code, place if depth else "")
        if code in _GENERIC and depth < MAX_STEPS:
            return self._generic(disk, code, sector, place, depth)
        return _not_followed(disk, code, place)

    def _generic(self, disk: int, code: str, sector: bytes, place: str, depth: int) -> BootChain:
        """Generic boot code: it finds the partition to boot and starts that partition's boot sector."""
        name = family(code)
        told = f"the boot code of {place} is {TITLES[name]}'s"
        found = _choose(code, self.disks, disk, sector)
        if not found:
            return BootChain(disk, name, False, f"{told}, which starts the active partition, and none is active")
        if len(found) > 1 and not takes_the_first(code, sector):
            return BootChain(disk, name, False, f"{told}, and several partitions are active")
        chosen = found[0]
        inner = self.disks.read(disk, chosen.sector)
        signed = inner[SIZE - 2 :] == SIGNATURE
        # parted's code starts a sector without looking for the signature.
        if not signed and (code != "parted" or not any(inner)):
            return BootChain(disk, name, False, f"{told}, and the boot sector of {chosen.name}, which it starts, is empty or none at all")
        step = self._sector(disk, chosen.sector, inner, chosen.name, depth + 1)
        if step.code == "none":
            reason = f"{told}, and the boot sector of {chosen.name}, which it starts, has no boot code"
            return BootChain(disk, name, False, reason, partition=chosen.name)
        reason = step.reason if step.starts else f"{told}, and {step.reason}"
        return replace(step, code=name, reason=reason, partition=step.partition or chosen.name)


_GENERIC = frozenset({"parted", "mbr", "windows-mbr", "syslinux-mbr", "syslinux-altmbr", "syslinux-gptmbr"})


def _choose(code: str, disks: Disks, disk: int, sector: bytes) -> list[_Boot]:
    """The partitions that the code considers bootable, in the order in which it tries them."""
    if code == "syslinux-gptmbr":
        return [_Boot(int(part.detail("start")) // SIZE, part.name) for part in disks.active(disk)]
    if code == "syslinux-altmbr":
        number = sector[_NUMBER_AT]
        parts = (part for part in disks.partitions if part.disk == disk and part.number == number)
        return [_Boot(int(part.detail("start")) // SIZE, part.name) for part in parts]
    active = []
    chosen = mbr_choice(sector) if code == "mbr" else _ACTIVE
    for number, at in enumerate(MBR_ENTRIES):
        entry = MBR_ENTRY.read(sector, at)
        # These two take any value except zero for a mark.
        marked = entry["boot_ind"] & 0x80 or (code in ("parted", "mbr") and entry["boot_ind"])
        if marked if chosen == _ACTIVE else number == chosen:
            start = entry["start_sect"]
            part = disks.partition(disk, start)
            active.append(_Boot(start, part.name if part else f"the entry at sector {start}"))
    return active


def _not_followed(disk: int, code: str, place: str) -> BootChain:
    name = family(code)
    if code in ("none", "dummy"):
        what = "has no boot code" if code == "none" else "only says that it is not bootable"
        return BootChain(disk, "none", False, f"the boot sector of {place} {what}")
    if code == "lilo":
        return BootChain(disk, name, None, f"{place} has the boot code of LILO, whose list of sectors is not followed", name)
    if code == "isolinux":
        return BootChain(
            disk, name, None, f"{place} has the boot code of an ISO image for hard disks (ISOLINUX), which is not followed", name
        )
    return BootChain(disk, name, None, f"the boot code of {place} is of unknown origin")
