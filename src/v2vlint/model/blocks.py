"""The block devices found in a guest's disks, with the identifiers that blkid would print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from v2vlint.model.boot_chain import BootChain
from v2vlint.model.dataclass import dataclass
from v2vlint.model.disk_letters import index_of

_KERNEL_DISK = re.compile(r"^/dev/(hd|sd|vd|xvd|ubd)([a-z]{1,2})(\d+)?$")
_KERNEL_NUMBERED = re.compile(r"^/dev/(nvme(\d+)n1|mmcblk(\d+))(?:p(\d+))?$")

_NUMBERED_ARRAY = re.compile(r"/dev/md(?:/|_)?(\d{1,4})")
_ARRAY_PART = re.compile(r"(/dev/md\d{1,4}|/dev/md/[^/]*?)p?(\d{1,3})")

LDM_METADATA_TYPE = "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3"
_PART_OFFSET = re.compile(r"([^/]+)/PARTNROFF=([+-]?\d{1,9})")  # devt_from_partuuid() of the kernel's block/early-lookup.c
LDM_TYPES = frozenset({"0x42", LDM_METADATA_TYPE, "af9b60a0-1431-4f62-bc68-3311714a69ad"})
"""Partition types of dynamic disks."""


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """One block device.

    ``name`` is v2vlint's own: ``disk1``, ``disk1p2``, ``vg/lv``, ``md/NAME``, ``luks-UUID``. ``kind`` is ``disk``, ``partition``, ``lv``,
    ``md``, ``luks``, ``bitlocker`` or ``ldm`` (a volume of dynamic disks). ``fs_type`` is blkid's TYPE (``ext4``, ``swap``,
    ``LVM2_member``, ``crypto_LUKS``, ``linux_raid_member``, ``vfat``…), empty when nothing was recognised. ``uuid`` and ``label`` are
    those of that content. ``disk`` is the 0-based index of the (first) disk it is on, ``number`` the partition number, ``part_type``
    the GPT type GUID or ``0x83``-style MBR type, both lower-case. ``problem`` says why the content could not be opened.

    ``details`` holds further attributes; a flag is ``yes`` or absent. Disks: ``image``, ``format``, ``variant``, ``pt`` (``gpt``, ``dos``),
    ``pt_uuid``, ``pt_spare`` (only the backup of its GPT is good), ``sector_size`` (the unit of its partition table), ``stated_sector``
    (given by the image); partitions: ``start`` (bytes), ``no_auto``, ``boot_priority`` (in a scheme of A and B).
    Filesystems: ``block_size``, ``fs_size``, ``free`` (bytes), ``inodes``, ``free_inodes``, ``features``; ext: ``clean``, ``errors``,
    ``needs_recovery``; xfs: ``sector_size``, ``version``, ``dirty_log``, ``needs_repair``; btrfs: ``devices``, ``node_size``, ``uuid_sub``,
    ``dirty_log``, ``subvolumes`` (paths, comma-separated), ``snapshots`` (a count), ``default_subvolume``; vfat: ``fat_bits``; vfat and
    ntfs: ``dirty``; ntfs: ``version``, ``heads``; swap: ``hibernated``. LUKS: ``version``, ``keyslots``, ``cipher``, ``kdf``,
    ``opening``, ``tokens`` (:func:`~v2vlint.disk.crypto.luks.describe`). BitLocker: ``bitlocker``, ``version``, ``state``, ``cipher``,
    ``keyslots``, ``protectors``, ``volume_guid``, ``recovery_ids`` (:class:`~v2vlint.model.bitlocker.BitlockerVolume`), or ``metadata``
    (``damaged``). MD: ``level``, ``array_uuid``, ``md_name``, ``members``, ``md_version``, ``role``; ``degraded`` (number of missing
    members), ``not_copied`` (members the array had that
    are on none of the disks), ``left_behind`` (devices that missed its last writes, comma-separated), ``dirty`` (parity was being written),
    ``names`` (from mdadm.conf, space-separated). LVM: ``vg``, ``vg_uuid``, ``lv_uuid``, ``degraded``, ``plain`` (maps to plain disk extents
    only), ``segments`` (LVM's words for what it is made of, comma-separated), ``absent`` (number of physical volumes that its group lacks).
    LDM: ``ldm_kind`` (``simple``, ``spanned``, ``striped``, ``mirrored``, ``RAID5``), ``ldm_guid``, ``letter``.
    """

    name: str
    kind: str
    size: int
    disk: int
    number: int = 0
    fs_type: str = ""
    uuid: str = ""
    label: str = ""
    part_uuid: str = ""
    part_label: str = ""
    part_type: str = ""
    bootable: bool = False
    parents: tuple[str, ...] = ()
    problem: str = ""
    details: tuple[tuple[str, str], ...] = ()

    def detail(self, key: str) -> str:
        """A further attribute by name (``tokens``, ``boot_code``, ``read_only``…), or an empty string."""
        return dict(self.details).get(key, "")


@dataclass(frozen=True, slots=True)
class ArrayName:
    """The array with this ``uuid`` (in mdadm's notation), or if that is empty with this ``name``, appears as ``path`` (``/dev/md5``)."""

    path: str
    uuid: str = ""
    name: str = ""

    def names(self, array: BlockDevice) -> bool:
        """Whether this line names ``array``."""
        if self.uuid:
            return self.uuid.replace(":", "").replace("-", "").lower() == array.detail("array_uuid").replace(":", "")
        whole = array.detail("md_name")
        return bool(self.name) and self.name in (whole, whole.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class BlockTable:
    """All block devices of a guest. ``complete`` is false when a disk or layer could not be opened, so that absence proves nothing.

    ``chains`` holds the BIOS boot chain of each readable disk.
    """

    devices: tuple[BlockDevice, ...] = ()
    complete: bool = True
    chains: tuple[BootChain, ...] = ()

    def __iter__(self) -> Iterator[BlockDevice]:
        return iter(self.devices)

    @property
    def disks(self) -> tuple[BlockDevice, ...]:
        """Whole disks, in the order the guest was given."""
        return tuple(device for device in self.devices if device.kind == "disk")

    def named(self, name: str) -> BlockDevice | None:
        """The device called ``name`` in this table."""
        return next((device for device in self.devices if device.name == name), None)

    def children(self, name: str) -> tuple[BlockDevice, ...]:
        """Devices built on the device called ``name``."""
        return tuple(device for device in self.devices if name in device.parents)

    def raw(self, device: BlockDevice) -> BlockDevice | None:
        """What software without RAID support (firmware, GRUB legacy, SYSLINUX) sees on ``device``.

        For a mirror member with metadata at its end (formats 0.90 and 1.0), that is the array's content; None for any other member.
        """
        if device.fs_type != "linux_raid_member":
            return device
        behind = device.detail("level") == "raid1" and device.detail("md_version") in ("0.90", "1.0")
        return next((child for child in self.children(device.name) if child.kind == "md"), None) if behind else None

    def chain(self, disk: int) -> BootChain | None:
        """The BIOS boot chain of the disk with this index; None when the disk could not be read."""
        return next((chain for chain in self.chains if chain.disk == disk), None)

    def tagged(self, tag: str, value: str) -> tuple[BlockDevice, ...]:
        """Devices whose ``tag`` (UUID, LABEL, PARTUUID, PARTLABEL) equals ``value``; the case of UUIDs is ignored."""
        attribute = {"UUID": "uuid", "LABEL": "label", "PARTUUID": "part_uuid", "PARTLABEL": "part_label"}[tag]
        fold = tag.endswith("UUID")
        wanted = value.lower() if fold else value
        return tuple(d for d in self.devices if (_fold(getattr(d, attribute), fold) == wanted) and wanted)

    def with_arrays(self, arrays: Iterable[ArrayName]) -> BlockTable:
        """The same table with the names that the ARRAY lines of mdadm.conf (``arrays``) give to RAID arrays added."""
        known = tuple(arrays)
        if not known or not any(device.kind == "md" for device in self.devices):
            return self
        return replace(self, devices=tuple(_named(device, known) if device.kind == "md" else device for device in self.devices))

    def resolve(self, spec: str) -> BlockDevice | None:
        """The device that an fstab, crypttab or ``root=`` spec names *on the source machine*; None when none or several match.

        Kernel names (``/dev/sda1``) are resolved by disk order and partition number, whatever their prefix. Of the devices of one
        btrfs, which share UUID and label, the first represents all.
        """
        found = tuple(self.candidates(spec))
        one_btrfs = len({device.uuid for device in found if device.fs_type == "btrfs"}) == 1
        return found[0] if len(found) == 1 or (one_btrfs and all(device.fs_type == "btrfs" for device in found)) else None

    def twins(self, spec: str) -> tuple[BlockDevice, ...]:
        """Filesystems that share a tag (``UUID=…``), as on the disks of a clone; empty when the tag identifies one, or different devices of
        one btrfs. Partitions of one PARTUUID are told apart by nobody, whatever is on them.
        """
        found = tuple(device for device in self.candidates(spec) if device.fs_type and not device.problem)
        kinds = {device.fs_type for device in found}
        if len(found) < 2 or (len(kinds) > 1 and not spec.upper().startswith(("PARTUUID=", "/DEV/DISK/BY-PARTUUID/"))):
            return ()
        members = [device.detail("uuid_sub") for device in found if device.detail("uuid_sub")]
        return found if kinds != {"btrfs"} or len(set(members)) < len(members) else ()

    def candidates(self, spec: str) -> Iterable[BlockDevice]:
        """Every device that ``spec`` may refer to; see :meth:`resolve`."""
        tag, _, value = spec.partition("=")
        if tag == "PARTUUID" and (offset := _PART_OFFSET.fullmatch(value)):
            return self._beside(offset[1], int(offset[2]))
        if tag in {"UUID", "LABEL", "PARTUUID", "PARTLABEL"}:
            return self.tagged(tag, value.strip("\"'"))
        for folder, by in (("uuid", "UUID"), ("label", "LABEL"), ("partuuid", "PARTUUID"), ("partlabel", "PARTLABEL")):
            if spec.startswith(f"/dev/disk/by-{folder}/"):
                return self.tagged(by, unescape_udev(spec.split("/", 4)[4]))
        return self._by_path(spec)

    def _beside(self, uuid: str, offset: int) -> list[BlockDevice]:
        """The partitions whose number differs by ``offset`` from the one with this UUID, on the same disk."""
        known = {(device.disk, device.number + offset, device.parents) for device in self.tagged("PARTUUID", uuid)}
        return [d for d in self.devices if d.kind == "partition" and (d.disk, d.number, d.parents) in known]

    def _by_path(self, spec: str) -> Iterable[BlockDevice]:
        position = kernel_position(spec)
        if position is not None:
            disk, number = position
            kind, arrays = "partition" if number else "disk", {d.name for d in self.devices if d.kind == "md"}
            fits = (d for d in self.devices if d.kind == kind and d.disk == disk and d.number == number)
            # Partitions of an array have the index of its first disk, but not the names of its partitions.
            return [d for d in fits if not arrays & set(d.parents)]
        found = [d for d in self.devices if spec in mapper_names(d)]
        return found or self._by_late_name(spec) or self._part_of_array(spec)

    def _by_late_name(self, spec: str) -> list[BlockDevice]:
        """Arrays without a number of their own are numbered 127, 126… in the order of discovery."""
        late = [d for d in self.devices if d.kind == "md" and not any(_NUMBERED_ARRAY.fullmatch(name) for name in _array_names(d))]
        match = _NUMBERED_ARRAY.fullmatch(spec)
        return late if match and int(match[1]) in range(128 - len(late), 128) else []

    def _part_of_array(self, spec: str) -> list[BlockDevice]:
        match = _ARRAY_PART.fullmatch(spec)
        arrays = {d.name for d in self._by_path(match[1]) if d.kind == "md"} if match else set()
        return [d for d in self.devices if match and d.kind == "partition" and d.number == int(match[2]) and arrays & set(d.parents)]


def _named(device: BlockDevice, arrays: Iterable[ArrayName]) -> BlockDevice:
    paths = [*device.detail("names").split(), *(array.path for array in arrays if array.names(device))]
    rest = tuple(pair for pair in device.details if pair[0] != "names")
    return replace(device, details=(*rest, ("names", " ".join(dict.fromkeys(paths))))) if paths else device


def _fold(value: str, fold: bool) -> str:
    return value.lower() if fold else value


def kernel_position(spec: str) -> tuple[int, int] | None:
    """``/dev/sdb3`` → (1, 3), ``/dev/nvme0n1p2`` → (0, 2), ``/dev/vda`` → (0, 0); None for any other path."""
    if match := _KERNEL_DISK.match(spec):
        return index_of(match[2]), int(match[3] or 0)
    if match := _KERNEL_NUMBERED.match(spec):
        return int(match[2] or match[3] or 0), int(match[4] or 0)
    return None


def mapper_names(device: BlockDevice) -> frozenset[str]:
    """The /dev paths that a logical volume, RAID array, LUKS mapping or physical volume has on any machine."""
    physical = frozenset({f"/dev/disk/by-id/lvm-pv-uuid-{device.uuid}"} if device.fs_type == "LVM2_member" else ())
    return physical | _kind_names(device)


def _kind_names(device: BlockDevice) -> frozenset[str]:
    if device.kind == "lv":
        return _volume_names(device)
    if device.kind == "md":
        return _array_names(device)
    if device.kind == "luks":
        uuid = device.name.removeprefix("luks-").replace("-", "")
        versions = (f"/dev/disk/by-id/dm-uuid-CRYPT-LUKS{version}-{uuid}-{device.name}" for version in (1, 2))
        return frozenset({f"/dev/mapper/{device.name}", f"/dev/disk/by-id/dm-name-{device.name}", *versions})
    return frozenset()


def _volume_names(device: BlockDevice) -> frozenset[str]:
    group, _, volume = device.name.partition("/")
    # The device mapper doubles the dashes in both names, so that the one between them stays clear.
    flat = f"{group.replace('-', '--')}-{volume.replace('-', '--')}"
    names = {f"/dev/{group}/{volume}", f"/dev/mapper/{flat}", f"/dev/disk/by-id/dm-name-{flat}"}
    if device.detail("vg_uuid") and device.detail("lv_uuid"):
        plain = f"{device.detail('vg_uuid')}{device.detail('lv_uuid')}".replace("-", "")
        names.add(f"/dev/disk/by-id/dm-uuid-LVM-{plain}")
    return frozenset(names)


def _array_names(device: BlockDevice) -> frozenset[str]:
    names = {f"/dev/{device.name}", f"/dev/{device.name.replace('md/', 'md')}", *device.detail("names").split()}
    if device.detail("array_uuid"):
        names.add(f"/dev/disk/by-id/md-uuid-{device.detail('array_uuid')}")
    if ":" in device.detail("md_name"):
        names.add(f"/dev/disk/by-id/md-name-{device.detail('md_name')}")
    return frozenset(names)


def unescape_udev(name: str) -> str:
    r"""Undo udev's ``\x20`` escaping in /dev/disk/by-label names."""
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), name)
