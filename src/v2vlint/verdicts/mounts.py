"""Mounts: does every mount that boot depends on find its device?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.early_unlock import EarlyImage, EarlyUnlock
from v2vlint.facts.boot.needs import BootNeeds, NeededMount, volume_of
from v2vlint.facts.conversion.devices import DeviceNames
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.storage.crypttab import Crypttab, CrypttabEntry
from v2vlint.facts.storage.devices import Devices, NameFate, NameKind, name_fate, name_kind
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.storage.mdadm_conf import MdadmConf
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.facts.storage.multipath import Multipath
from v2vlint.facts.storage.sectors import Sectors
from v2vlint.guest.fs import GuestFS, unknown_state
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault, repaired
from v2vlint.verdicts.early_settings import TiedArray, of_array, taken_by_udev, ties
from v2vlint.verdicts.lvm_settings import lvm_devices, lvm_filters, not_activated
from v2vlint.verdicts.mount_drivers import disabled_drivers
from v2vlint.verdicts.mount_types import unknown_types
from v2vlint.verdicts.unit_asserts import failing_asserts

# Machines there get disks of their own: temporary ones, one for cloud-init.
_ADDS_DISKS = frozenset({"azure", "ec2", "gce", "kubevirt", "openstack"})
_RULES = ("/usr/lib/udev/rules.d", "/lib/udev/rules.d", "/etc/udev/rules.d")
_SHARES = frozenset({"vmhgfs", "fuse.vmhgfs-fuse", "vmhgfs-fuse", "vboxsf", "prl_fs", "fuse.prl_fsd", "9p", "virtiofs"})


@dataclass(frozen=True, slots=True)
class KernelNamed:
    """An entry with a kernel device name. ``fate`` is what happens to the name in a raw copy, ``after`` the name the mover writes."""

    entry: FstabEntry
    fate: NameFate
    after: str


def _kernel_names(
    policy: MountPolicy, names: DeviceNames, landing: Landing, blocks: BlockTable, target: Target
) -> Iterator[Cause[KernelNamed]]:
    """``/dev/sda2``: gone on another controller, uncertain with several disks, kept, or renamed by the mover."""
    for entry in policy.entries:
        if name_kind(entry.device) is not NameKind.KERNEL or entry.is_pseudo:
            continue
        # virt-v2v renames devices in fstab, but not in mount units.
        after, stops = entry.device if entry.unit else names.after(entry.device), policy.stops(entry)
        named = KernelNamed(entry, name_fate(entry.device, target.disk_prefixes, blocks), after)
        fate = name_fate(after, landing.prefixes, blocks)
        where, waits = entry.spec.where, f"{entry.mount_point} waits for {after}"
        if fate is NameFate.GONE:
            yield fault(stops, f"{waits}, which is not there", where, named)
        elif after != entry.device:
            yield repaired(f"{entry.device} is renamed to {after}", where, named)
        elif fate is NameFate.ORDER:
            yield doubt(stops, f"{waits}, a name that may change", where, named)


def _unmatched(policy: MountPolicy, devices: Devices, landing: Landing, target: Target, blocks: BlockTable) -> Iterator[Cause[None]]:
    """Kernel names that match no partition."""
    for entry in policy.entries:
        kernel = name_kind(entry.device) is NameKind.KERNEL and not _absent(entry, devices, landing, target, blocks)
        if kernel and policy.stops(entry) and devices.resolve(entry.device) is None:
            reason = f"{entry.device} for {entry.mount_point} could not be matched to a device"
            yield Cause(Fate.UNKNOWN, reason, entry.spec.where)


def _hardware_paths(policy: MountPolicy) -> Iterator[Cause[FstabEntry]]:
    """``/dev/disk/by-path/…`` and serial numbers. virt-v2v leaves them alone: ``remap_block_devices``."""
    for entry in policy.entries:
        if name_kind(entry.device) is NameKind.HARDWARE and not entry.is_pseudo:
            reason = f"{entry.mount_point} waits for {entry.device}, a name made of the source's hardware"
            yield fault(policy.stops(entry), reason, entry.spec.where, entry)


def _absent(entry: FstabEntry, devices: Devices, landing: Landing, target: Target, blocks: BlockTable) -> bool:
    """Whether the target keeps its kernel name, which none of the guest's disks has."""
    keeps = name_fate(entry.device, landing.prefixes, blocks) is not NameFate.GONE
    return keeps and target.platform not in _ADDS_DISKS and not entry.is_pseudo and devices.lacks(entry.device)


def _missing(
    policy: MountPolicy, devices: Devices, blocks: BlockTable, landing: Landing, target: Target
) -> Iterator[Cause[FstabEntry | None]]:
    """UUIDs, labels and volumes that are on none of the disks; no severity where that is uncertain."""
    for entry in policy.entries:
        kind = name_kind(entry.device)
        if kind is NameKind.KERNEL and entry.mount_point != "/" and _absent(entry, devices, landing, target, blocks):
            what = "swap space" if entry.is_swap else entry.mount_point
            disks = f"none of the {len(blocks.disks)} disks has" if len(blocks.disks) > 1 else "the guest's only disk does not have"
            reason = f"{what} is on {entry.device}, which {disks}"
            yield fault(policy.stops(entry), reason, entry.spec.where, entry)
        if entry.is_pseudo or kind in (NameKind.KERNEL, NameKind.HARDWARE):
            continue
        stops, present = policy.stops(entry) and entry.mount_point != "/", devices.present(entry.device)  # the root verdict judges /
        # Other names, such as /dev/mapper/x, may be created by a program during boot.
        judged = bool(blocks.devices) and (kind is not NameKind.OTHER or bool(volume_of(entry.device)))
        if present is False and judged:
            what = "swap space" if entry.is_swap else entry.mount_point
            reason = f"{what} is on {entry.device}, which is on none of the disks"
            yield fault(policy.stops(entry), reason, entry.spec.where, entry)
        elif present is not True and (stops or (judged and kind is NameKind.TAG)):
            # Other specs are sources of some filesystem: a dataset, a file, a mere word.
            device = kind is not NameKind.OTHER or entry.device.startswith("/dev/")
            reason = f"it is not known whether {entry.device} exists{': not every disk could be read' if device else ''}"
            told = entry if judged and kind is NameKind.TAG else None
            yield Cause(Fate.UNKNOWN if stops else Fate.PASS, reason, entry.spec.where, None, told)


def _ambiguous(policy: MountPolicy, blocks: BlockTable) -> Iterator[Cause[None]]:
    """Tags that several filesystems have, as on the disks of a clone: udev's link leads to the one that it found last, or to any."""
    for entry in policy.entries:
        if name_kind(entry.device) is NameKind.TAG and policy.stops(entry) and (same := blocks.twins(entry.device)):
            names = " and ".join(device.name for device in same)
            yield Cause(
                Fate.UNKNOWN, f"{entry.device} for {entry.mount_point} names {names}: which of them is mounted is not known", entry.where
            )


@dataclass(frozen=True, slots=True)
class Resectored:
    """A mount whose device does not appear on disks of another sector size, or is there and cannot be mounted."""

    entry: FstabEntry
    appears: bool


def _sectors(policy: MountPolicy, devices: Devices, sectors: Sectors) -> Iterator[Cause[Resectored]]:
    """Partitions that do not appear on disks of another sector size, and filesystems with blocks smaller than a sector."""
    for entry in policy.entries:
        device = None if entry.is_pseudo or entry.mount_point == "/" else devices.resolve(entry.device)
        lost = sectors.lost(device) if device else ""
        reason = lost or sectors.refused(device) if device else ""
        if device and reason:
            what = "swap space" if entry.is_swap else entry.mount_point
            about = Resectored(entry, appears=not lost)
            yield fault(policy.stops(entry), f"{what} is on {device.name}: {reason}", entry.spec.where, about)


@dataclass(frozen=True, slots=True)
class Required:
    """A device that the mount ``entry`` requires besides the one that it mounts."""

    entry: FstabEntry
    device: str


def _required(policy: MountPolicy, devices: Devices, landing: Landing, blocks: BlockTable) -> Iterator[Cause[Required]]:
    """``x-systemd.requires=`` and Requires= of mount units, where they name devices."""
    for entry, device in policy.devices:
        reason, about = f"{entry.mount_point} requires {device}", Required(entry, device)
        kind, gone = name_kind(device), name_fate(device, landing.prefixes, blocks) is NameFate.GONE
        if kind is NameKind.HARDWARE:
            yield fault(policy.stops(entry), f"{reason}, a name made of the source's hardware", entry.where, about)
        elif gone or (blocks.devices and kind is NameKind.TAG and devices.present(device) is False):
            yield fault(policy.stops(entry), f"{reason}, which is not there", entry.where, about)
        elif kind is not NameKind.KERNEL and devices.present(device) is None and policy.stops(entry):
            yield Cause(Fate.UNKNOWN, f"{reason}, and it is not known whether that exists", entry.where)


def _multipath(multipath: Multipath, policy: MountPolicy, landing: Landing) -> Iterator[Cause[FstabEntry]]:
    """Multipath maps of one disk: virtio and Xen disks have no WWID to build them from."""
    vanishes = landing.prefixes <= {"vd", "xvd"}
    for entry in policy.entries:
        if multipath.is_multipath(entry.device):
            reason = f"{entry.mount_point} is on the multipath device {entry.device}, which a single virtual disk does not have"
            yield (fault if vanishes else doubt)(policy.stops(entry), reason, entry.spec.where, entry)


def _host_folders(policy: MountPolicy, target: Target) -> Iterator[Cause[FstabEntry]]:
    """Folders shared by the source's host."""
    for entry in policy.entries:
        kind = _share(entry)
        if kind not in _SHARES:
            continue
        reason = f"{entry.mount_point} is a folder shared by the source's host ({kind})"
        yield (doubt if kind in target.shares else fault)(policy.stops(entry), reason, entry.where, entry)


def _share(entry: FstabEntry) -> str:
    """The type of a mount; on ``fuse`` lines the program precedes the source: mount.fuse(8)."""
    program = entry.device.rpartition("#")[0] or entry.device
    return f"fuse.{program.rpartition('/')[2]}" if entry.fs_type == "fuse" else entry.fs_type


@dataclass(frozen=True, slots=True)
class Mapped:
    """An entry of crypttab. ``fate`` is what happens to a kernel name in a raw copy; ``needed`` the mount that depends on it, if known."""

    entry: CrypttabEntry
    needed: bool
    fate: NameFate = NameFate.KEPT
    mount: NeededMount | None = None


def _mapped_names(
    crypttab: Crypttab,
    early: EarlyUnlock,
    devices: Devices,
    needs: BootNeeds,
    names: DeviceNames,
    landing: Landing,
    blocks: BlockTable,
    target: Target,
) -> Iterator[Cause[Mapped]]:
    """Kernel names in crypttab. What the initramfs has opened is there already, or boot has stopped in it."""
    for entry in crypttab.entries:
        if name_kind(entry.device) is not NameKind.KERNEL or entry.has_random_key or "noauto" in entry.options:
            continue
        needed = _needed(entry, devices, needs) and not early.opens(entry.name.value)
        after = names.in_crypttab(entry.device)
        mapped = Mapped(entry, needed, name_fate(entry.device, target.disk_prefixes, blocks))
        fate, reason = name_fate(after, landing.prefixes, blocks), f"{entry.name} is unlocked from {after}, which is not there"
        if fate is NameFate.GONE:
            yield fault(needed, reason, entry.source.where, mapped)
        elif after != entry.device:
            yield repaired(f"{entry.device} becomes {after}", entry.source.where, mapped)
        elif fate is NameFate.ORDER:
            yield doubt(needed, f"{entry.name} is unlocked from {after}, a name that may change", entry.source.where, mapped)


def _needed(entry: CrypttabEntry, devices: Devices, needs: BootNeeds) -> bool:
    device = devices.resolve(entry.device)
    return needs.mount_on(f"/dev/mapper/{entry.name}") is not None or (device is not None and needs.needs(device.name))


def _mapped_hardware(crypttab: Crypttab, devices: Devices, needs: BootNeeds) -> Iterator[Cause[Mapped]]:
    """Names in crypttab that contain the source's hardware."""
    for entry in crypttab.entries:
        if name_kind(entry.device) is NameKind.HARDWARE and not entry.has_random_key and "noauto" not in entry.options:
            needed = _needed(entry, devices, needs)
            reason = f"{entry.name} is unlocked from {entry.device}, a name made of the source's hardware"
            yield fault(needed, reason, entry.source.where, Mapped(entry, needed))


def _mapped_missing(crypttab: Crypttab, devices: Devices, needs: BootNeeds, blocks: BlockTable) -> Iterator[Cause[Mapped]]:
    """crypttab entries whose container is on none of the disks."""
    for entry in crypttab.entries if blocks.devices else ():
        if "noauto" in entry.options or name_kind(entry.device) is not NameKind.TAG:
            continue
        present, mount = devices.present(entry.device), needs.mount_on(f"/dev/mapper/{entry.name}")
        mapped = Mapped(entry, mount is not None, mount=mount)
        if present is None:
            reason = f"it is not known whether {entry.device} exists: not every disk could be read"
            yield Cause(Fate.UNKNOWN if mount else Fate.PASS, reason, entry.source.where, None, mapped)
        elif not present:
            reason = f"{entry.name} is unlocked from {entry.device}, which is on none of the disks"
            yield fault(mount is not None, reason, entry.source.where, mapped)


def _incomplete_groups(policy: MountPolicy, needs: BootNeeds, loader: Bootloader, blocks: BlockTable) -> Iterator[Cause[None]]:
    """Volumes of groups that lack a physical volume, even if they have no part there.

    udev activates a group when it is complete (``pvscan --checkcomplete`` in 69-lvm.rules); some initramfs images activate all volumes, and
    dracut those of ``rd.lvm.lv=``.
    """
    for mount in (not_activated(needs, loader) if loader.defaults else needs.mounts) if policy.style == "systemd" else ():
        device = blocks.named(mount.volume) if mount.entry.mount_point != "/" and mount.volume else None
        if device is not None and device.detail("absent"):
            lacks = f"{device.name.split('/')[0]} lacks {device.detail('absent')} of its physical volumes"
            reason = f"{mount.entry.mount_point} is on {device.name}, and {lacks}: udev does not activate such a group"
            yield Cause(Fate.UNKNOWN, reason, mount.entry.spec.where)


def _md_names(
    conf: MdadmConf, blocks: BlockTable, needs: BootNeeds, early: EarlyImage, landing: Landing, fs: GuestFS
) -> Iterator[Cause[TiedArray]]:
    """mdadm.conf, which virt-v2v leaves alone. The arrays under the root are up by then, if the initramfs could be asked."""
    awaited = needs.needs if early.image is None else needs.late
    needed = any(device.kind == "md" and awaited(device.name) for device in blocks)
    named = any(mount.entry.device.startswith("/dev/md") for mount in needs.mounts)
    by_udev = taken_by_udev(f"{folder}/{name}" for folder in _RULES for name in fs.listdir(folder))
    for tied in ties(conf, landing, blocks):
        reason = f"{tied.array or 'DEVICE'} is bound to {tied.tokens[0].value}, a name that changes"
        where, found = tied.tokens[0].where, replace(tied, needed=needed)
        yield of_array(found, needed, named, reason, where) if tied.array and by_udev else fault(needed, reason, where, found)


def _replayed(fstab: Fstab, policy: MountPolicy, fs: GuestFS) -> Iterator[Cause[None]]:
    """A mount whose journal the kernel has to replay, without certainty that it can."""
    for entry in policy.entries:
        system = fs.mounts.get(entry.mount_point) if policy.stops(entry) else None
        if system is not None and system.stale:
            yield Cause(Fate.UNKNOWN, unknown_state(system), WholeFile(entry.mount_point))


def _scripts(policy: MountPolicy, devices: Devices, landing: Landing, blocks: BlockTable) -> Iterator[Cause[None]]:
    """Missing devices under an init with unknown scripts."""
    for entry in policy.entries if policy.style == "unknown" else ():
        gone = name_fate(entry.device, landing.prefixes, blocks) is NameFate.GONE or name_kind(entry.device) is NameKind.HARDWARE
        lost = gone or (name_kind(entry.device) is not NameKind.KERNEL and devices.present(entry.device) is False)
        if lost and not (entry.is_pseudo or entry.nofail or entry.noauto or entry.is_network):
            what = "swap space" if entry.is_swap else entry.mount_point
            reason = f"{what} is on {entry.device}, which is not there, and what {policy.init} does then is not known"
            yield Cause(Fate.UNKNOWN, reason, entry.spec.where)


def _maintenance(end: BootEnd) -> Iterator[Cause[None]]:
    """An init that is told not to go to a login: on a console it looks like a mount that failed."""
    if end.maintenance:
        yield fault(True, end.maintenance, end.where, None)


def _found(fstab: Fstab, policy: MountPolicy) -> Iterator[Cause[None]]:
    """The devices that boot needs, when all of them are found."""
    blocking = [entry for entry in policy.entries if policy.stops(entry) and not entry.is_pseudo and entry.mount_point not in ("/", "none")]
    names = ", ".join(entry.mount_point for entry in blocking)
    yield Cause(Fate.PASS, f"{names} found" if names else "nothing but the root is needed", fstab.where)


class MountsVerdict(Verdict, stage=Stage.MOUNTS, place=90):
    """Does every mount that boot depends on find its device?"""

    kernel_names = Judge(_kernel_names)
    unmatched = Judge(_unmatched)
    hardware_paths = Judge(_hardware_paths)
    missing = Judge(_missing)
    ambiguous = Judge(_ambiguous)
    sectors = Judge(_sectors)
    required = Judge(_required)
    multipath = Judge(_multipath)
    host_folders = Judge(_host_folders)
    mapped_names = Judge(_mapped_names)
    mapped_hardware = Judge(_mapped_hardware)
    mapped_missing = Judge(_mapped_missing)
    incomplete_groups = Judge(_incomplete_groups)
    lvm_filters = Judge(lvm_filters)
    lvm_devices = Judge(lvm_devices)
    md_names = Judge(_md_names)
    drivers = Judge(disabled_drivers)
    replayed = Judge(_replayed)
    types = Judge(unknown_types)
    asserts = Judge(failing_asserts)
    scripts = Judge(_scripts)
    maintenance = Judge(_maintenance)
    found = Judge(_found)
