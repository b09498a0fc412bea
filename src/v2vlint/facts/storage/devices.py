"""Resolve device specs in configuration files: how stable the name is, which device it meant on the source, and whether that exists."""

from __future__ import annotations

import enum
import functools
import re

from v2vlint.disk.filesystems.formats import same_format
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.crypttab import Crypttab
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.mdadm_conf import array_names, mdadm_conf_from
from v2vlint.guest.text import GuestText
from v2vlint.model.blocks import ArrayName, BlockDevice, BlockTable, kernel_position
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.target import Target

_KERNEL = re.compile(
    r"/dev/(?:(?P<disk>hd|sd|vd|xvd|ubd)[a-z]{1,3}\d*|(?P<numbered>nvme)\d+n\d+(?:p\d+)?|(?P<card>mmcblk)\d+(?:p\d+)?|(?P<dasd>dasd)[a-z]+\d*"
    r"|(?P<raid>cciss|ida|rd)/c\d+d\d+(?:p\d+)?|(?P<i2o>i2o)/hd[a-z]\d*)"
)
_LASTING_IDS = re.compile(r"/dev/disk/by-id/(?:dm-name-|dm-uuid-(?:LVM|CRYPT)|lvm-pv-uuid-|md-uuid-|md-name-)")
_HARDWARE = re.compile(r"/dev/disk/(?:by-path|by-id|by-dname|by-diskseq)/.+|/dev/disk/azure/.+")
_PART = re.compile(r"-part(\d+)$")
# A WWID is a digit for its type and 16 or 32 hexadecimal digits.
_MULTIPATH = re.compile(r"/dev/mapper/(?:mpath[a-z]+|[0-9a-f]{17}|[0-9a-f]{33})(?:(?:-part|_part|p)?(\d+))?")
_TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
# BIOS boot partitions, Microsoft reserved ones, extended ones, PReP.
_NO_CONTENT = frozenset(
    {"21686148-6449-6e6f-744e-656564454649", "e3c9e316-0b5c-4db8-817d-f92df00215ae", "0x5", "0x05", "0xf", "0x0f", "0x85", "0x41"}
)
_IMAGES = ("/boot/initr*", "/boot/initramfs*", "/boot/efi/EFI/*/initr*")
_MAX_IMAGES = 2
_CONTAINERS = frozenset({"LVM2_member", "linux_raid_member", "BitLocker"})


class NameKind(enum.StrEnum):
    """KERNEL names depend on controller and order, HARDWARE names on controller or serial; TAG and MAPPER names travel with the disks."""

    KERNEL = "kernel"
    HARDWARE = "hardware"
    TAG = "tag"
    MAPPER = "mapper"
    OTHER = "other"


class NameFate(enum.StrEnum):
    """What happens to a kernel name on a target: GONE, kept but subject to the ORDER of several disks, or KEPT."""

    GONE = "gone"
    ORDER = "order"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class LastingName:
    """A name that travels with the disks. ``certain`` is false when the order of several disks had to be assumed."""

    text: str
    device: BlockDevice
    certain: bool


def name_kind(spec: str) -> NameKind:
    """How stable a device name is."""
    if _KERNEL.fullmatch(spec):
        return NameKind.KERNEL
    if spec.partition("=")[0] in _TAGS or spec.startswith(
        ("/dev/disk/by-uuid/", "/dev/disk/by-label/", "/dev/disk/by-partuuid/", "/dev/disk/by-partlabel/")
    ):
        return NameKind.TAG
    if _LASTING_IDS.match(spec) or spec.startswith("/dev/mapper/"):
        return NameKind.MAPPER
    return NameKind.HARDWARE if _HARDWARE.fullmatch(spec) else NameKind.OTHER


def kernel_prefix(spec: str) -> str:
    """The kernel's naming scheme of a name (``sd``, ``nvme``, ``cciss``…), or an empty string."""
    match = _KERNEL.fullmatch(spec)
    return next((value for value in match.groups() if value), "") if match else ""


def kernel_fate(spec: str, target: Target, blocks: BlockTable) -> NameFate:
    """What happens to a kernel name; any other name is KEPT."""
    return name_fate(spec, target.disk_prefixes, blocks)


def name_fate(spec: str, prefixes: frozenset[str], blocks: BlockTable) -> NameFate:
    """What happens to a kernel name if disk names start with ``prefixes``; any other name is KEPT."""
    prefix = kernel_prefix(spec)
    if not prefix:
        return NameFate.KEPT
    if prefixes != {prefix}:
        return NameFate.GONE
    return NameFate.ORDER if len(blocks.disks) > 1 else NameFate.KEPT


def _newest(path: str) -> list[int]:
    return [int(number[:9]) for number in re.findall(r"\d+", path)]


@dataclass(frozen=True)
class EarlyArrays:
    """Names of RAID arrays that only an initramfs knows: dracut and initramfs-tools write their own mdadm.conf into it."""

    images: Initramfses

    @functools.cached_property
    def names(self) -> tuple[ArrayName, ...]:
        """The names in the newest images in /boot; none when they cannot be read."""
        paths = sorted((path for pattern in _IMAGES for path in self.images.fs.glob(pattern)), key=_newest, reverse=True)
        return tuple(name for path in paths[:_MAX_IMAGES] for name in self._of(path))

    def _of(self, path: str) -> tuple[ArrayName, ...]:
        try:
            image = self.images.of(path)
        except FactUnavailable:
            return ()
        texts = image.under("etc/mdadm", "etc/mdadm.conf.d") if image else {}
        alone = (image.text("etc/mdadm.conf") or "") if image else ""
        return array_names(mdadm_conf_from([GuestText(path, text) for text in (*texts.values(), alone)]))


@dataclass(frozen=True, slots=True)
class Devices:
    """Resolves device specs. ``mapped`` holds crypttab's mappings (name, source); ``order_known`` says that letters follow the disk order.

    ``certain`` says that a device not found does not exist: every disk and layer was read and all content recognised.
    ``mounted`` are fstab's specs with their mount points, without binds. ``early`` holds names of arrays from the initramfs.
    """

    blocks: BlockTable
    mapped: tuple[tuple[str, str], ...] = ()
    order_known: bool = False
    certain: bool = False
    mounted: tuple[tuple[str, str], ...] = ()
    early: EarlyArrays | None = None

    def _table(self, spec: str) -> BlockTable:
        """The block table, with additional names if ``spec`` needs them."""
        unknown = self.early is not None and spec.startswith("/dev/md") and not tuple(self.blocks.candidates(spec))
        return self.blocks.with_arrays(self.early.names) if unknown and self.early is not None else self.blocks

    def resolve(self, spec: str) -> BlockDevice | None:
        """The one device that ``spec`` meant on the source, or None when none or several match."""
        source = dict(self.mapped).get(spec.removeprefix("/dev/mapper/")) if spec.startswith("/dev/mapper/") else None
        if source and source != spec:
            container = self._table(source).resolve(source)
            inside = self.blocks.children(container.name) if container else ()
            return inside[0] if len(inside) == 1 else None
        if name_kind(spec) is NameKind.HARDWARE:
            return self._of_only_disk(_PART.search(spec))
        found = self._table(spec).resolve(spec)
        multipath = None if found else _MULTIPATH.fullmatch(spec)
        return self._of_only_disk(multipath) if multipath else found

    def _of_only_disk(self, match: re.Match[str] | None) -> BlockDevice | None:
        """The partition whose number the match contains, or the disk, if only one disk is possible."""
        if len(self.blocks.disks) != 1:
            return None
        number, kind = (int(match[1][:6]), "partition") if match and match[1] else (0, "disk")
        found = [device for device in self.blocks if device.kind == kind and device.number == number]
        return found[0] if len(found) == 1 else None

    def present(self, spec: str) -> bool | None:
        """Whether the device is on the given disks; None when unclear, as always for kernel and hardware names."""
        spec = self._container(spec)
        if name_kind(spec) in (NameKind.KERNEL, NameKind.HARDWARE):
            return None
        if tuple(self._table(spec).candidates(spec)) or self._other_name(spec):
            return True
        if not self.certain or self._beyond_reach(spec):
            return None
        return False

    def lacks(self, spec: str) -> bool:
        """Whether the kernel name ``spec`` is that of a disk or partition that the guest certainly does not have, in whatever order.

        Letters count the disks, but not where somebody chose them (Xen) or where they are channels (IDE).
        """
        place, count = kernel_position(spec), len(self.blocks.disks)
        if place is None or not self.certain or not count:
            return False
        index, number = place
        counted = kernel_prefix(spec) not in ("xvd", "hd")
        return (counted and index >= count) or (
            number > 0 and not any(part.kind == "partition" and part.number == number for part in self.blocks)
        )

    def _container(self, spec: str) -> str:
        """What the mapping ``spec`` is made from, and that in turn; ``spec`` itself where it is none."""
        sources, seen = dict(self.mapped), set[str]()
        # Mappings of a broken crypttab may be made from one another.
        while spec.startswith("/dev/mapper/") and spec not in seen and (source := sources.get(spec.removeprefix("/dev/mapper/"))):
            seen.add(spec)
            spec = source
        return spec

    def _other_name(self, spec: str) -> bool:
        """Whether it may be a LUKS mapping whose name only the initramfs or the command line knows."""
        return spec.startswith("/dev/mapper/luks-") and bool(self.blocks.tagged("UUID", spec.removeprefix("/dev/mapper/luks-")))

    def _beyond_reach(self, spec: str) -> bool:
        arrays = any(device.kind == "md" or device.fs_type == "linux_raid_member" for device in self.blocks)
        locked = any(device.fs_type == "crypto_LUKS" for device in self.blocks)
        if spec.startswith("/dev/md"):
            return arrays
        if spec.startswith("/dev/mapper/"):
            # A logical volume has a dash there; without one it may be any other mapping.
            return locked or arrays or "-" not in spec
        return name_kind(spec) is NameKind.OTHER and not self._lv_path(spec)

    def _lv_path(self, spec: str) -> bool:
        """Whether ``spec`` looks like /dev/VG/LV for a volume group that exists."""
        parts = spec.split("/")
        groups = {device.name.partition("/")[0] for device in self.blocks if device.kind == "lv"}
        return len(parts) == 4 and parts[2] in groups

    def lasting(self, spec: str, fs_type: str = "", mount_point: str = "") -> LastingName | None:
        """An unambiguous ``UUID=…`` for the device ``spec`` meant; None when it is unclear or does not contain ``fs_type``.

        For fstab entries, ``mount_point`` rules out devices that are mounted elsewhere under another name.
        """
        device = self.resolve(spec)
        # The UUID of a container is that of a member, which nothing mounts.
        if device is None or not device.uuid or device.fs_type in _CONTAINERS or not _fits(device, fs_type):
            return None
        if mount_point and self._mounted_elsewhere(device, spec, mount_point):
            return None
        twins = self.blocks.tagged("UUID", device.uuid)
        if len(twins) > 1 and not all(twin.fs_type == "btrfs" for twin in twins):  # all devices of one btrfs share its UUID
            return None
        certain = self.order_known or kernel_position(spec) is None
        return LastingName(f"UUID={device.uuid}", device, certain)

    def _mounted_elsewhere(self, device: BlockDevice, spec: str, mount_point: str) -> bool:
        others = (other for other, point in self.mounted if point != mount_point and other != spec)
        # Subvolumes of one btrfs are mounted in several places.
        return device.fs_type != "btrfs" and any(self.resolve(other) == device for other in others)


def _fits(device: BlockDevice, fs_type: str) -> bool:
    return fs_type in ("", "auto", "none") or same_format(device.fs_type, fs_type)


@provides
def find_devices(fs: GuestFS, blocks: BlockTable, crypttab: Crypttab | None, fstab: Fstab | None, images: Initramfses) -> Devices:
    """The resolver for this guest; unknown tables are left out."""
    crypttab, fstab = crypttab or Crypttab(), fstab or Fstab()
    mapped = tuple((entry.name.value, entry.device) for entry in crypttab.entries)
    mounted = tuple((entry.device, entry.mount_point) for entry in fstab.entries if not entry.is_pseudo)
    certain = bool(blocks.devices) and blocks.complete and not _opaque(blocks)
    return Devices(blocks, mapped, _order_known(fs, blocks, fstab), certain, mounted, EarlyArrays(images))


def _order_known(fs: GuestFS, blocks: BlockTable, fstab: Fstab) -> bool:
    """With a single disk the order is trivial; with several, the root filesystem (found by content) may prove that letters follow it."""
    if len(blocks.disks) < 2:
        return True
    root = fstab.entry("/")
    device = blocks.resolve(root.device) if root and kernel_position(root.device) else None
    return bool(device and device.uuid and device.uuid.lower() == fs.mounts["/"].uuid.lower())


def _opaque(blocks: BlockTable) -> bool:
    """Whether some device has unrecognised content, which may be what a spec means."""
    parents = {parent for device in blocks for parent in device.parents}
    divided = {device.disk for device in blocks if device.kind != "disk"}
    leaves = (device for device in blocks if device.name not in parents and device.part_type not in _NO_CONTENT)
    unknown = (device for device in leaves if not device.uuid and device.fs_type not in ("swap", "squashfs", "iso9660"))
    return any(device.kind != "disk" or device.disk not in divided for device in unknown)
