"""Everything between disks and filesystems: partition tables, RAID, LVM and encryption, stacked in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING

from v2vlint.disk.containers.formats import Image
from v2vlint.disk.filesystems import opening as filesystem
from v2vlint.disk.filesystems.content import Content, details
from v2vlint.disk.filesystems.formats import format_of
from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import Cached, Slice, Stream
from v2vlint.disk.volumes.disk_table import disk_table
from v2vlint.disk.volumes.table import Table
from v2vlint.model.bitlocker import bitlocker_volume
from v2vlint.model.blocks import LDM_METADATA_TYPE, LDM_TYPES, ArrayName, BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.report import Problem
from v2vlint.model.source import Keys

if TYPE_CHECKING:
    from v2vlint.disk.volumes.ldm import LdmMember
    from v2vlint.disk.volumes.lvm_text import Group
    from v2vlint.disk.volumes.md import MdMember

MAX_DEVICES = 512
MAX_DEPTH = 8


@dataclass(slots=True)
class Layer:
    """A block device while the stack is being built: what is known about it, its bytes, its content and its depth."""

    device: BlockDevice
    stream: Stream | None
    content: Content = field(default_factory=Content)
    depth: int = 0


class Stack:
    """The block devices of a guest and their filesystems. Nothing here raises on damaged bytes: see ``problems``.

    ``unreadable`` lists contents for which there is no reader, with the reason; they only matter when no root is found elsewhere.
    """

    def __init__(self, images: Sequence[Image], keys: Keys) -> None:
        self.problems: list[Problem] = []
        self.unreadable: list[tuple[str, str]] = []
        self.layers: dict[str, Layer] = {}
        self.keys = keys
        self._opened: dict[str, FileSystem | None] = {}
        self._done: set[str] = set()
        self._dynamic_disks: list[tuple[LdmMember, Layer]] = []
        self._groups: dict[str, Group] = {}
        for index, image in enumerate(images):
            self._add(_disk_layer(index, image))
        self._combine()

    @property
    def blocks(self) -> BlockTable:
        """All devices found, disks with their partitions first."""
        devices = tuple(layer.device for layer in self.layers.values())
        return BlockTable(devices, not any(device.problem for device in devices))

    @property
    def disks(self) -> Mapping[int, Stream]:
        """The bytes of whole disks, by index."""
        return {layer.device.disk: layer.stream for layer in self.layers.values() if layer.device.kind == "disk" and layer.stream}

    def filesystems(self) -> Iterator[BlockDevice]:
        """Devices with a filesystem that can be read; of a btrfs on several devices only the first."""
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

    @property
    def opened(self) -> dict[str, FileSystem]:
        """What has been opened so far, by device."""
        return {name: system for name, system in self._opened.items() if system is not None}

    def _open(self, name: str) -> FileSystem | None:
        layer = self.layers[name]
        if layer.stream is None:
            return None
        streams = [layer.stream]
        if layer.content.type == "btrfs":
            streams = [one.stream for one in self.layers.values() if one.stream and one.content.uuid == layer.content.uuid]
        if layer.content.type == "btrfs" and len(streams) < int(layer.device.detail("devices") or 1):
            devices = int(layer.device.detail("devices"))
            self.fail(name, f"{devices - len(streams)} of {devices} btrfs devices are missing")
        try:
            system = filesystem.open_filesystem(layer.content, streams)
        except ImageError as error:
            self.fail(name, str(error), error.hint)
            return None
        if system.stale:
            reason = f"copied while it was in use, and {system.stale}: the last changes may be missing here"
            self.problems.append(Problem(name, reason, "shut the guest down before it is copied"))
        return system

    def name_arrays(self, arrays: Iterable[ArrayName]) -> None:
        """Name the RAID arrays as the mdadm.conf of a root does."""
        for device in self.blocks.with_arrays(arrays):
            self.layers[device.name].device = device

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
        with self._guard(layer.device.name):
            self._look_into(layer)

    @contextmanager
    def _guard(self, name: str) -> Iterator[None]:
        """Turn any exception that a parser raises on damaged bytes into a problem of the device ``name``."""
        try:
            yield
        except ImageError as error:
            self.fail(name, str(error), error.hint)
        except MemoryError:
            raise
        except Exception as error:
            self.fail(name, f"damaged: {str(error).strip() or type(error).__name__}")

    def _look_into(self, layer: Layer) -> None:
        if layer.device.part_type in LDM_TYPES:
            layer.content = Content("ldm_member")
            layer.device = replace(layer.device, fs_type="ldm_member")
            return
        table = Table()
        if layer.device.kind in ("disk", "md") and layer.stream is not None:
            # Linux looks for none on other devices, such as those of device-mapper.
            table = disk_table(layer.stream, int(layer.device.detail("stated_sector") or 0))
        if table.problem:
            self.fail(layer.device.name, table.problem)
        if table.partitions:
            self._partitioned(layer, table)
        else:
            self._recognise(layer)

    def _partitioned(self, layer: Layer, table: Table) -> None:
        facts = details(pt=table.kind, sector_size=table.sector, pt_uuid=table.id, pt_spare=table.spare or None)
        layer.device = replace(layer.device, details=layer.device.details + facts)
        separator = "p" if layer.device.name[-1:].isdigit() else "-part"
        for part in table.partitions:
            # Of an extended partition, Linux shows only the beginning; the logical ones are partitions of their own.
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
                details=details(start=part.start, no_auto=part.no_auto or None, boot_priority=part.boot_priority or None),
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
        stated = int(layer.device.detail("fs_size") or 0)
        if stated > layer.stream.size:
            reason = f"{content.type} of {stated} bytes on a device of {layer.stream.size}: the image is truncated"
            self.fail(layer.device.name, reason)
        kind = format_of(content.type)
        if kind is not None and not kind.reader and not kind.is_layer:
            self.unreadable.append((layer.device.name, f"{kind.title} is not supported"))
            layer.device = replace(layer.device, problem=f"{kind.title} is not supported")

    def _combine(self) -> None:
        """Open RAID arrays, encrypted devices and volume groups until nothing new appears; then the incomplete ones."""
        for final in (False, True):
            before = -1
            while before != len(self.layers):
                before = len(self.layers)
                self._raid(final)
                self._dynamic(final)
                self._unlock()
                self._lvm(final)

    def _of_type(self, *types: str) -> list[Layer]:
        return [layer for layer in self.layers.values() if layer.content.type in types and layer.stream is not None]

    def _on(self, parents: Sequence[Layer], device: BlockDevice, stream: Stream | None, problem: str = "", hint: str = "") -> None:
        names = tuple(parent.device.name for parent in parents)
        disk = min((parent.device.disk for parent in parents), default=0)
        depth = 1 + max((parent.depth for parent in parents), default=0)
        self._add(Layer(replace(device, parents=names, disk=disk), stream, depth=depth))
        if problem:
            self.fail(device.name, problem, hint)

    def _raid(self, final: bool) -> None:
        from v2vlint.disk.volumes import md

        arrays: dict[str, list[tuple[md.MdMember, Layer]]] = {}
        for layer in self._of_type("linux_raid_member"):
            with self._guard(layer.device.name):
                member = md.read_member(layer.stream) if layer.stream else None
                if member:
                    arrays.setdefault(member.uuid, []).append((member, layer))
        for uuid, members in arrays.items():
            first = members[0][0]
            # The missing members may still turn up inside of an encrypted device or a volume group.
            if uuid in self._done or (len(members) < first.disks and not final):
                continue
            self._done.add(uuid)
            with self._guard(members[0][1].device.name):
                self._array(members)

    def _array(self, members: Sequence[tuple[MdMember, Layer]]) -> None:
        from v2vlint.disk.volumes import md

        first = members[0][0]
        facts = details(level=md.level_name(first.level), array_uuid=first.array_uuid, md_name=first.name, members=first.disks)
        facts += md.condition([(member, layer.device.name) for member, layer in members])
        name = f"md/{first.short_name or first.array_uuid[:8]}"
        layers = [layer for _member, layer in members]
        device = BlockDevice(name if name not in self.layers else f"md/{first.array_uuid}", "md", first.array_size, 0, details=facts)
        try:
            stream = md.assemble([(member, layer.stream) for member, layer in members if layer.stream])
        except ImageError as error:
            self._on(layers, device, None, str(error), error.hint)
            return
        self._on(layers, replace(device, size=stream.size), stream)

    def _dynamic(self, final: bool) -> None:
        """Bring up the volumes of a group of dynamic disks when all its disks have been found; in the last round, with those that have."""
        from v2vlint.disk.volumes import ldm

        for layer in self._of_type("ldm_member"):
            disk = self.layers[layer.device.parents[0]] if layer.device.kind == "partition" else None
            if disk is not None and disk.stream is not None and disk.device.name not in self._done:
                self._done.add(disk.device.name)
                with self._guard(disk.device.name):
                    self._dynamic_disks.append((ldm.read_member(disk.stream, self._ldm_metadata(disk)), disk))
        groups: dict[str, dict[str, tuple[LdmMember, Layer]]] = {}
        for member, layer in self._dynamic_disks:
            groups.setdefault(member.group, {})[member.disk] = (member, layer)
        for group, members in groups.items():
            first, layer = next(iter(members.values()))
            if group in self._done or (ldm.group_disks(first) - members.keys() and not final):
                continue
            self._done.add(group)
            with self._guard(layer.device.name):
                self._dynamic_volumes(members)

    def _ldm_metadata(self, disk: Layer) -> Stream | None:
        """The partition with the database, on a GPT disk."""
        parts = (self.layers[part.name] for part in self.blocks.children(disk.device.name))
        return next((part.stream for part in parts if part.device.part_type == LDM_METADATA_TYPE), None)

    def _dynamic_volumes(self, members: Mapping[str, tuple[LdmMember, Layer]]) -> None:
        from v2vlint.disk.volumes import ldm

        there = {guid: (member, layer.stream) for guid, (member, layer) in members.items() if layer.stream}
        for volume in ldm.volumes(there):
            layers = [members[guid][1] for guid in volume.disks if guid in members]
            facts = details(ldm_kind=volume.kind, ldm_guid=volume.guid, letter=volume.hint.rstrip(":"))
            name = f"ldm_vol_{next(iter(members.values()))[0].group_name}_{volume.name}"
            if layers:
                self._on(layers, BlockDevice(name, "ldm", volume.size, 0, details=facts), volume.stream, volume.problem)

    def _unlock(self) -> None:
        for layer in self._of_type("crypto_LUKS", "BitLocker"):
            if layer.device.name in self._done or layer.stream is None:
                continue
            self._done.add(layer.device.name)
            with self._guard(layer.device.name):
                self._unlock_one(layer, layer.stream)

    def _unlock_one(self, layer: Layer, base: Stream) -> None:
        luks = layer.content.type == "crypto_LUKS"
        if luks:
            from v2vlint.disk.crypto.luks import unlock
        else:
            from v2vlint.disk.crypto.bitlocker import unlock
        name = f"luks-{layer.content.uuid}" if luks else f"bitlocker-{layer.device.name}"
        secrets = self.keys.opening(layer.device, self.blocks, name, layer.device.detail("volume_guid"))
        # A BitLocker volume that is suspended, or not yet activated, can be opened without a key.
        plain = unlock(base, secrets) if secrets or not luks else None
        if plain is None:
            self.fail(layer.device.name, *_locked(layer.device, bool(secrets)))
            return
        self._on([layer], BlockDevice(name, "luks" if luks else "bitlocker", plain.size, 0), cached(plain))

    def encrypted(self) -> Iterator[tuple[BlockDevice, tuple[str, ...]]]:
        """Encrypted devices, each with the other names by which a key may be given."""
        for layer in self._of_type("crypto_LUKS", "BitLocker"):
            opened = f"{'luks' if layer.content.type == 'crypto_LUKS' else 'bitlocker'}-{layer.content.uuid or layer.device.name}"
            yield layer.device, (opened, layer.device.detail("volume_guid"))

    def _lvm(self, final: bool) -> None:
        from v2vlint.disk.volumes import lvm, lvm_text

        layers = {layer.content.uuid: layer for layer in self._of_type("LVM2_member")}
        for layer in layers.values():
            if layer.stream is None or layer.device.name in self._done:
                continue
            self._done.add(layer.device.name)
            with self._guard(layer.device.name):
                metadata = lvm.read_physical(layer.stream).metadata
                if metadata:
                    self._groups[layer.device.name] = lvm_text.read_group(metadata)
        # The newest description comes first, and marks the group as done: others are from before a change.
        for name, group in sorted(self._groups.items(), key=lambda one: -one[1].seqno):
            if group.uuid not in self._done:
                with self._guard(name):
                    self._group(group, layers, final)

    def _group(self, group: Group, layers: Mapping[str, Layer], final: bool) -> None:
        """Bring up the volumes of a group unless it has to wait for more physical volumes."""
        present = {uuid: layers[uuid] for uuid, _start in group.physical.values() if uuid in layers}
        if len(present) < len(group.physical) and not final:
            return
        self._done.add(group.uuid)
        self._describe_members(group, present)
        self._volumes(group, present)

    def _describe_members(self, group: Group, present: Mapping[str, Layer]) -> None:
        for one in present.values():
            one.device = replace(one.device, details=one.device.details + details(vg=group.name, vg_uuid=group.uuid))

    def _volumes(self, group: Group, present: Mapping[str, Layer]) -> None:
        from v2vlint.disk.volumes import lvm

        streams = {uuid: layer.stream for uuid, layer in present.items() if layer.stream}
        absent = len(group.physical) - len(group.usable(present))
        for volume in lvm.volumes(group, streams):
            parents = [present[uuid] for uuid in volume.physical if uuid in present]
            facts = details(
                vg_uuid=group.uuid, lv_uuid=volume.uuid, degraded=volume.lost or None, plain=volume.plain, segments=",".join(volume.kinds)
            )
            facts += details(absent=absent or None)
            device = BlockDevice(f"{group.name}/{volume.name}", "lv", volume.size, 0, details=facts)
            self._on(parents, device, volume.stream, volume.problem)


def _locked(device: BlockDevice, tried: bool) -> tuple[str, str]:
    """Why an encrypted device stays closed, and what to do about it."""
    reason = f"encrypted ({device.fs_type}), and {'no key given opens it' if tried else 'no key was given'}"
    volume = bitlocker_volume(device)
    if volume.only_sealed:
        hint = "on that machine, add a recovery password or suspend BitLocker"
        return f"{reason}; only the TPM of the machine it comes from opens it", hint
    ways = f"; {volume.opened_by} opens it" if volume.opened_by else ""
    return reason + ways, "check the key" if tried else "give a key with --key-file or in $V2VLINT_KEY"


def _disk_layer(index: int, image: Image) -> Layer:
    names = details(image=image.name, format=image.format, backing=image.backing, data_file=image.data_file)
    facts = names + details(stated_sector=image.sector or None, variant=image.variant)
    return Layer(BlockDevice(f"disk{index + 1}", "disk", image.stream.size, index, details=facts), image.stream)


def cached(stream: Stream) -> Stream:
    """``stream`` with its own block cache, for layers that are slow to read."""
    return Cached(stream, count=256)
