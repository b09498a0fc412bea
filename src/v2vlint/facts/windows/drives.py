"""Windows drive letters: the registry's ``MountedDevices`` and the partitions behind them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator

from v2vlint.disk.fields import Fields
from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import RegistryValue, SystemHive
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.registry import BINARY

_LETTER = re.compile(r"\\DosDevices\\([A-Za-z]):", re.IGNORECASE)
_GPT = b"DMIO:ID:"
_MBR = Fields("<", signature=(0, "I"), offset=(4, "Q"))  # a value of MountedDevices: a disk's signature, a partition's offset in bytes


@dataclass(frozen=True, slots=True)
class Drive:
    """A letter; ``device`` is None when its partition is on none of the disks. ``is_disk`` is False for CD drives and similar."""

    letter: str
    device: BlockDevice | None
    is_disk: bool


@dataclass(frozen=True, slots=True)
class Drives:
    """The letters in order. ``complete`` says that all disks were read."""

    drives: tuple[Drive, ...]
    complete: bool

    def is_lost(self, letter: str) -> bool:
        """Whether the letter's partition is on none of the disks."""
        return self.complete and any(one.letter == letter and one.is_disk and one.device is None for one in self.drives)


@provides
def parse_drives(hive: SystemHive, blocks: BlockTable) -> Drives:
    """Read the letters."""
    node = hive.top.key("MountedDevices")
    return Drives(tuple(drives_of(node.values() if node else (), blocks)), bool(blocks.devices) and blocks.complete)


def drives_of(values: Iterable[RegistryValue], blocks: BlockTable) -> Iterator[Drive]:
    """The drives in the ``values`` of MountedDevices: a disk signature and a partition's offset (MBR), ``DMIO:ID:`` and the
    partition's GUID (GPT), or else a device path."""
    for value in sorted(values, key=lambda one: one.name):
        match = _LETTER.fullmatch(value.name)
        if match and value.type == BINARY:
            is_disk = len(value.data) == 12 or value.data[:8] == _GPT
            yield Drive(match[1].upper(), next(_partitions(value.data, blocks), None), is_disk)


def _partitions(blob: bytes, blocks: BlockTable) -> Iterator[BlockDevice]:
    partitions = [device for device in blocks if device.kind == "partition"]
    # Of an MBR partition, the signature of its disk and its offset; of a GPT partition, DMIO:ID: and its GUID.
    if len(blob) == 12:
        fields = _MBR.read(blob)
        signature, offset = f"{fields['signature']:08x}", str(fields["offset"])
        disks = {disk.disk for disk in blocks.disks if disk.detail("pt_uuid").lower() == signature}
        yield from (one for one in partitions if one.disk in disks and one.detail("start") == offset)
    elif len(blob) >= 24 and blob[:8] == _GPT:
        wanted = str(uuid.UUID(bytes_le=blob[8:24]))
        yield from (one for one in blocks if wanted in (one.part_uuid.lower(), one.detail("ldm_guid")))
