"""Everything between disks and filesystems: partition tables, RAID, LVM and encryption, on top of one another in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from v2vlint.disk import filesystem
from v2vlint.disk.container import Image
from v2vlint.disk.node import FileSystem
from v2vlint.disk.probe import Content, details, probe
from v2vlint.disk.stream import Cached, Slice, Stream
from v2vlint.disk.table import Table, boot_code, grub_core, read_table
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import ImageError
from v2vlint.model.report import Problem
from v2vlint.model.source import Keys

MAX_DEVICES = 512
MAX_DEPTH = 8
_LOCKED = frozenset({"crypto_LUKS", "BitLocker"})
_UNREADABLE = {
    "zfs_member": "ZFS", "bcache": "bcache", "stratis": "Stratis", "vdo": "VDO", "isw_raid_member": "Intel firmware RAID",
    "ddf_raid_member": "DDF firmware RAID", "ldm_member": "Windows dynamic disk", "VMFS_volume_member": "VMFS", "bcachefs": "bcachefs",
    "f2fs": "F2FS", "jfs": "JFS", "reiserfs": "ReiserFS", "reiser4": "Reiser4", "apfs": "APFS", "hfsplus": "HFS+", "ReFS": "ReFS",
    "ufs": "UFS", "nilfs2": "NILFS2", "erofs": "EROFS", "DM_integrity": "dm-integrity", "DM_verity_hash": "", "jbd": "", "minix": "Minix",
}  # fmt: skip


@dataclass(slots=True)
class Layer:
    """A block device while the stack is being built: what is known of it, its bytes, its content and how deep it lies."""

    device: BlockDevice
    stream: Stream | None
    content: Content = field(default_factory=Content)
    depth: int = 0


class Stack:
    """The block devices of a guest and the filesystems on them. Nothing here raises on damaged bytes: see ``problems``."""

    def __init__(self, images: Sequence[Image], keys: Keys) -> None:
        self.problems: list[Problem] = []
        self.layers: dict[str, Layer] = {}
        self.keys = keys
        self._opened: dict[str, FileSystem | None] = {}
        self._done: set[str] = set()
        for index, image in enumerate(images):
            self._add(_disk_layer(index, image))
        self._combine()

    @property
    def blocks(self) -> BlockTable:
        """All devices found, disks with their partitions first."""
        devices = tuple(layer.device for layer in self.layers.values())
        return BlockTable(devices, complete=not any(device.problem for device in devices))

    def filesystems(self) -> Iterator[BlockDevice]:
        """Devices that hold a filesystem there is a reader for; of a multi-device btrfs only the first."""
        seen: set[str] = set()
        for layer in self.layers.values():
            kind, uuid = layer.content.type, layer.content.uuid
            if layer.stream is None or not filesystem.is_readable(kind) or (kind == "btrfs" and uuid in seen):
                continue
            seen.add(uuid)
            yield layer.device

    def open(self, name: str) -> FileSystem | None:
        """The filesystem on the device ``name``; None (and a problem) when it cannot be opened."""
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name: str) -> FileSystem | None:
        layer = self.layers[name]
        if layer.stream is None:
            return None
        streams = [layer.stream]
        if layer.content.type == "btrfs":
            streams = [one.stream for one in self.layers.values() if one.stream and one.content.uuid == layer.content.uuid]
        try:
            return filesystem.open_filesystem(layer.content, streams)
        except ImageError as error:
            self.fail(name, str(error), error.hint)
            return None

    def fail(self, name: str, reason: str, hint: str = "") -> None:
        """Record that the content of the device ``name`` cannot be read."""
        layer = self.layers[name]
        layer.device = replace(layer.device, problem=layer.device.problem or reason)
        self.problems.append(Problem(name, reason, hint))

    def _add(self, layer: Layer) -> None:
        if len(self.layers) >= MAX_DEVICES or layer.device.name in self.layers:
            self.problems.append(Problem(layer.device.name, "ignored: too many block devices, or two of this name"))
            return
        self.layers[layer.device.name] = layer
        if layer.stream is None:
            return
        if layer.depth > MAX_DEPTH:
            self.fail(layer.device.name, f"more than {MAX_DEPTH} layers on top of one another")
            return
        table = _table(layer)
        if table.problem:
            self.fail(layer.device.name, table.problem)
        if table.partitions:
            self._partitioned(layer, table)
        else:
            self._recognise(layer)

    def _partitioned(self, layer: Layer, table: Table) -> None:
        facts = details(pt=table.kind, sector_size=table.sector, pt_uuid=table.id)
        layer.device = replace(layer.device, details=layer.device.details + facts)
        separator = "p" if layer.device.name[-1:].isdigit() else "-part"
        for part in table.partitions:
            stream = None if part.is_extended or layer.stream is None else Slice(layer.stream, part.start, part.size)
            device = BlockDevice(
                name=f"{layer.device.name}{separator}{part.number}",
                kind="partition",
                size=part.size,
                disk=layer.device.disk,
                number=part.number,
                part_uuid=part.uuid,
                part_label=part.name,
                part_type=part.type,
                bootable=part.bootable,
                parents=(layer.device.name,),
                details=details(start=part.start, **_sector_facts(stream)),
            )
            self._add(Layer(device, stream, depth=layer.depth + 1))

    def _recognise(self, layer: Layer) -> None:
        assert layer.stream is not None
        content = layer.content = probe(layer.stream)
        layer.device = replace(
            layer.device,
            fs_type=content.type,
            uuid=content.uuid,
            label=content.label,
            details=layer.device.details + content.details,
        )
        if what := _UNREADABLE.get(content.type):
            self.fail(layer.device.name, f"{what} is not supported")

    def _combine(self) -> None:
        for _round in range(MAX_DEPTH):
            before = len(self.layers)
            for combine in (self._unlock,):
                combine()
            if len(self.layers) == before:
                break

    def _unlock(self) -> None:
        for layer in list(self.layers.values()):
            if layer.content.type in _LOCKED and layer.device.name not in self._done:
                self._done.add(layer.device.name)
                self.fail(layer.device.name, f"{layer.content.type} without a key")


def _disk_layer(index: int, image: Image) -> Layer:
    facts = details(pt="", image=image.name, format=image.format, **_sector_facts(image.stream))
    return Layer(BlockDevice(f"disk{index + 1}", "disk", image.stream.size, index, details=facts), image.stream)


def _sector_facts(stream: Stream | None) -> dict[str, object]:
    sector = b"" if stream is None else stream.read_at(0, 512)
    return {"boot_code": boot_code(sector), "grub_core": grub_core(sector)} if sector else {}


def _table(layer: Layer) -> Table:
    if layer.device.kind not in ("disk", "md") or layer.stream is None:
        return Table()
    return read_table(layer.stream)


def cached(stream: Stream) -> Stream:
    """``stream`` with a block cache of its own, for layers that are costly to read."""
    return Cached(stream, count=256)
