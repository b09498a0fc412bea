"""Root: do the root named on the command line and the layers under it exist under those names on the target?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg, all_args
from v2vlint.facts.boot.early_unlock import EarlyImage, EarlyUnlock
from v2vlint.facts.boot.early_usr import early_usr
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.gpt_auto import BY_TYPE, GptAuto, gpt_auto
from v2vlint.facts.boot.needs import volume_of
from v2vlint.facts.boot.start import DefaultBoot, Startup
from v2vlint.facts.boot.verity import VerityVolume, verity_volumes
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.conversion.menu import ConvertedMenu
from v2vlint.facts.initramfs.early_conf import embedded_args, embedded_root
from v2vlint.facts.initramfs.early_crypttab import EarlyMapping
from v2vlint.facts.kernel.kernels import version_key
from v2vlint.facts.storage.crypttab import Crypttab, CrypttabEntry
from v2vlint.facts.storage.devices import Devices, NameKind, name_fate, name_kind
from v2vlint.facts.storage.devices import NameFate as NameFate
from v2vlint.facts.storage.multipath import Multipath
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.facts.storage.sectors import Sectors
from v2vlint.guest.fs import GuestFS, unknown_state
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device, WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault, repaired
from v2vlint.verdicts.early_settings import early_arrays, early_identities, early_volumes
from v2vlint.verdicts.inside_root import deployment, filesystem_type, subvolume

_NEEDS_USERSPACE = ("UUID=", "LABEL=", "PARTLABEL=", "/dev/disk/", "/dev/mapper/", "ZFS=")
_NOT_LOCAL = ("/dev/nfs", "nfs:", "nfs4:", "dhcp", "iscsi:", "nbd:", "live:", "tmpfs", "/dev/ram")
_VOLUME = ("rd.lvm.lv", "rd_LVM_LV")
_GROUP = ("rd.lvm.vg", "rd_LVM_VG")
_LUKS = ("rd.luks.uuid", "rd_LUKS_UUID")
_ARRAY = ("rd.md.uuid", "rd_MD_UUID")
# Generators whose images find a PARTUUID= by udev's links or blkid; booster counts as the kernel does.
_BY_BLKID = ("initramfs-tools", "dracut", "mkinitcpio", "systemd")
_CRYPT = ("cryptdevice", "crypt_root", "cryptroot")


def is_elsewhere(spec: str) -> bool:
    """Whether ``root=`` names no disk of the machine: what systemd's fstab generator leaves to others (``192.0.2.1:/root``, ``cifs://…``)."""
    numbers = spec.replace(":", "").isdecimal()  # 8:1 is a major and a minor number
    return spec.startswith(_NOT_LOCAL) or (":" in spec and "=" not in spec and not spec.startswith("/dev/") and not numbers)


@dataclass(frozen=True, slots=True)
class NamedRoot:
    """``root=`` with a name that changes. ``certain``: ``entry`` is the default; ``entries`` are all those with the same ``root=``."""

    entry: BootEntry
    argument: KernelArg
    certain: bool
    after: str
    entries: tuple[BootEntry, ...]
    others: tuple[KernelArg, ...]


def _names(
    loader: Bootloader, startup: Startup, menu: ConvertedMenu, landing: Landing, blocks: BlockTable, target: Target
) -> Iterator[Cause[NamedRoot]]:
    """Kernel names and hardware paths in the default entry, or if it is unknown in the first entry that has one."""
    hits = [(entry, entry.root) for entry in loader.all_entries if entry.root and _changes(entry.root, menu, target, blocks)]
    certain = _certain(loader, startup, [entry for entry, _argument in hits])
    first = [hit for hit in hits if hit[0] in certain] or hits[:1]
    # Entries that take root= from one place (kernelopts in grubenv) are one cause, told by the first of them.
    for entry, argument in {argument.where: (entry, argument) for entry, argument in reversed(first)}.values():
        same = tuple(entry for entry, other in hits if other.value == argument.value)
        others = tuple(other for _entry, other in hits if other.where != argument.where)
        named = NamedRoot(entry, argument, entry in certain, menu.root(argument), same, others)
        yield _named(named, landing, blocks)


def _changes(argument: KernelArg, menu: ConvertedMenu, target: Target, blocks: BlockTable) -> bool:
    value = argument.value or ""
    moved = name_fate(value, target.disk_prefixes, blocks) is not NameFate.KEPT
    return moved or name_kind(value) is NameKind.HARDWARE or menu.root(argument) != value


def _certain(loader: Bootloader, startup: Startup, hit: list[BootEntry]) -> list[BootEntry]:
    """The affected entry that boots by default; if the default is undecided, all of them, provided no unaffected entry could be it."""
    try:
        return [entry for entry in hit if entry == startup.entry]
    except FactUnavailable:
        usual = [entry for entry in loader.all_entries if entry.kernel and not entry.is_rescue]
        return hit if hit and all(entry in hit for entry in usual) else []


def _named(named: NamedRoot, landing: Landing, blocks: BlockTable) -> Cause[NamedRoot]:
    where, words = named.argument.where, f"root={named.after}"
    fate = name_fate(named.after, landing.prefixes, blocks)
    if fate is NameFate.GONE or name_kind(named.after) is NameKind.HARDWARE:
        names = " or ".join(sorted(landing.prefixes))
        return fault(named.certain, f"{words}, but disks are called {names}* there", where, named)
    if named.after != named.argument.value:
        return repaired(f"{named.argument} becomes {words}", where, named)
    return doubt(named.certain, f"{words} depends on the order in which the disks are detected", where, named)


def _missing(startup: Startup, devices: Devices, blocks: BlockTable) -> Iterator[Cause[BootEntry | None]]:
    """UUIDs, labels and volumes that are on none of the disks."""
    entry = startup.default
    value = entry.root.value if entry and entry.root else None
    if entry is None or entry.root is None or not value or entry.foreign or not blocks.devices or is_elsewhere(value):
        return
    present = devices.present(value) if name_kind(value) is NameKind.TAG or volume_of(value) else True
    if present is None and name_kind(value) is NameKind.TAG:
        yield Cause(Fate.UNKNOWN, f"it is not known whether {value} exists: not every disk could be read", entry.root.where)
    elif present is False:
        yield fault(True, f"root={value} is on none of these disks", entry.root.where, entry)


def _multipath(startup: Startup, multipath: Multipath, landing: Landing) -> Iterator[Cause[BootEntry]]:
    """A multipath map of one disk; virtio and Xen disks have no WWID."""
    entry = startup.default
    root = entry.root if entry else None
    if entry and root and root.value and multipath.is_multipath(root.value):
        vanishes = landing.prefixes <= {"vd", "xvd"}
        yield (fault if vanishes else doubt)(True, f"root={root.value} is a multipath device", root.where, entry)


def _parts(startup: Startup, devices: Devices, blocks: BlockTable, early: EarlyImage, os: OsInfo) -> Iterator[Cause[KernelArg]]:
    """Volumes, LUKS containers and arrays that dracut is configured to wait for, including by its image. Other generators do not wait."""
    if not devices.certain:
        return
    args = (*(startup.default.args if startup.default else ()), *(embedded_args(early.image) if early.image else ()))
    for argument in dict.fromkeys(all_args(args, *_VOLUME, *_GROUP, *_LUKS, *_ARRAY)):
        if argument.value and not _present(argument, blocks):
            yield fault(os.family in ("rhel", "suse"), f"{argument} names a device that is on none of the disks", argument.where, argument)


def _present(argument: KernelArg, blocks: BlockTable) -> bool:
    value = argument.value or ""
    if argument.name in _VOLUME:
        return blocks.named(value.strip("/")) is not None
    if argument.name in _GROUP:
        return any(device.kind == "lv" and device.name.startswith(f"{value}/") for device in blocks)
    wanted = value.removeprefix("luks-").replace(":", "").replace("-", "").lower()
    kinds = {"crypto_LUKS"} if argument.name in _LUKS else {"linux_raid_member"}
    uuids = (f"{device.uuid} {device.detail('array_uuid')}" for device in blocks if device.fs_type in kinds)
    return any(wanted in uuid.replace(":", "").replace("-", "").lower() for uuid in uuids)


@dataclass(frozen=True, slots=True)
class NamedContainer:
    """An argument that names ``device``, the encrypted device under the root."""

    argument: KernelArg
    device: str


def _containers(loader: Bootloader, startup: Startup, blocks: BlockTable, landing: Landing) -> Iterator[Cause[NamedContainer]]:
    """``cryptdevice=/dev/sda2:root`` and similar. virt-v2v leaves them alone."""
    known = startup.default is not None
    entries = (startup.default,) if startup.default else loader.all_entries[:1]
    for argument in dict.fromkeys(argument for entry in entries for argument in entry.all(*_CRYPT)):
        device = (argument.value or "").split(":")[0]
        fate = name_fate(device, landing.prefixes, blocks)
        about, reason = NamedContainer(argument, device), f"the encrypted root is looked for on {device}, a name that changes"
        if fate is NameFate.ORDER:
            yield doubt(True, reason, argument.where, about)
        elif fate is NameFate.GONE or name_kind(device) is NameKind.HARDWARE:
            yield (fault if known else doubt)(True, reason, argument.where, about)


@dataclass(frozen=True, slots=True)
class EarlyNamed:
    """A line of the initramfs's crypttab, and that of the guest's which it was copied from, if there is one."""

    mapping: EarlyMapping
    entry: CrypttabEntry | None


def _early(
    unlock: EarlyUnlock, crypttab: Crypttab | None, stack: RootStack, devices: Devices, landing: Landing, blocks: BlockTable
) -> Iterator[Cause[EarlyNamed]]:
    """Kernel names and hardware paths in the initramfs's own crypttab, by which it looks for the encrypted root."""
    below = {parent for layer in stack.of_kind("luks") for parent in layer.parents}
    for mapping in unlock.mappings:
        device = devices.resolve(mapping.source)
        gone = name_kind(mapping.source) is NameKind.HARDWARE or name_fate(mapping.source, landing.prefixes, blocks) is NameFate.GONE
        if device is None or device.name not in below or not gone:
            continue
        entry = crypttab.entry(mapping.name) if crypttab else None
        about = EarlyNamed(mapping, entry if entry and entry.device == mapping.source else None)
        image = unlock.image.where if unlock.image else None
        where = about.entry.source.where if about.entry else image
        reason = f"the initramfs opens {mapping.name} from {mapping.source}, which is not there"
        yield (fault if unlock.certain else doubt)(True, reason, where, about)


def _sectors(stack: RootStack, sectors: Sectors) -> Iterator[Cause[None]]:
    """A root on a partition that does not appear, or with smaller blocks than the disk has."""
    device = stack.device
    if device is not None and (reason := sectors.lost(device) or sectors.refused(device)):
        yield fault(True, f"the root is on {device.name}: {reason}", Device(device.name), None)


def _unnamed(boot: DefaultBoot, startup: Startup, blocks: BlockTable, os: OsInfo) -> Iterator[Cause[GptAuto | None]]:
    """No root= is given: initramfs-tools stops, and systemd finds the root partition only by its type."""
    if _asks(boot):
        yield boot.fault("no root= is given, and initramfs-tools stops without one", boot.choice.where, None)
        return
    found = _automatic(boot, startup, blocks, os)
    if found is not None and found.root is None and blocks.complete and blocks.disks:
        path = boot.path
        nothing_else = found.runs or (path is not None and path.image is not None and path.image.generator == "mkinitcpio")
        reason = f"no root= is given, and no partition on the disk of the EFI system partition has the type {found.wanted}"
        if nothing_else:
            yield boot.fault(reason, boot.choice.where, found)


def _automatic(boot: DefaultBoot, startup: Startup, blocks: BlockTable, os: OsInfo) -> GptAuto | None:
    """systemd's automatic root; None when the root is named on the command line or inside the initramfs."""
    argument = boot.choice.entry.root if boot.choice.entry else None
    path = boot.path
    named = argument is not None and argument.value not in (None, "", *BY_TYPE)
    if named or path is None or (path.image and embedded_root(path.image)) or _hashed(boot):
        return None
    return gpt_auto(blocks, os.arch, startup.menu.loader if startup.menu else "", path.image, boot.choice.args)


def _device(
    boot: DefaultBoot, menu: ConvertedMenu, devices: Devices, startup: Startup, blocks: BlockTable, landing: Landing, os: OsInfo
) -> Iterator[Cause[None]]:
    """The device named on the command line, or else written into the initramfs."""
    argument = boot.choice.entry.root if boot.choice.entry else None
    if argument is None or not argument.value or argument.value in BY_TYPE:
        yield _without_root(boot, devices, _automatic(boot, startup, blocks, os), landing.prefixes)
        return
    spec, where = menu.root(argument), argument.where
    present = devices.present(argument.value)
    if is_elsewhere(spec):
        yield Cause(Fate.UNKNOWN, f"root={spec} is no local disk", where)
    elif boot.path is not None and boot.path.alone and spec.startswith(_NEEDS_USERSPACE) and not _by_kernel(spec, boot.choice.version):
        why = "there is none" if boot.path.alone == "there is no initramfs" else boot.path.alone
        yield boot.fault(f"root={spec} needs an initramfs to be found, and {why}", where, None)
    elif (cause := _not_understood(boot, spec, argument, devices)) is not None:
        yield cause
    elif present is None and name_kind(argument.value) is not NameKind.KERNEL:
        yield Cause(Fate.UNKNOWN, f"root={spec} could not be matched to a device on these disks", where)
    elif present is False:
        yield boot.fault(f"root={spec} is on none of these disks", where, None)
    elif name_kind(argument.value) is NameKind.TAG and (same := blocks.twins(argument.value)):
        names = " and ".join(device.name for device in same)
        yield Cause(Fate.UNKNOWN, f"root={spec} names {names}: which of them is mounted is not known", where)
    else:
        yield boot.passes(f"root={spec}", where)


def _not_understood(boot: DefaultBoot, spec: str, argument: KernelArg, devices: Devices) -> Cause[None] | None:
    """A kernel name without its partition, and what only the kernel resolves (``PARTNROFF``: systemd and blkid take it for a part of the
    UUID).
    """
    if name_kind(argument.value or "") is NameKind.KERNEL and devices.resolve(argument.value or "") is None:
        if len(devices.blocks.disks) == 1 and devices.lacks(spec) and spec == argument.value:
            return boot.fault(f"root={spec} is not on the only disk", argument.where, None)
        return Cause(Fate.UNKNOWN, f"root={spec} could not be matched to a partition", argument.where)
    image = boot.path.image if boot.path else None
    if "/PARTNROFF=" in spec and image is not None and devices.present(spec):
        reason = f"root={spec} is understood by the kernel, and the initramfs looks for it"
        fails = image.generator in _BY_BLKID
        return boot.fault(reason, argument.where, None) if fails else Cause(Fate.UNKNOWN, reason, argument.where)
    return None


def _by_kernel(spec: str, version: str) -> bool:
    """Whether the kernel itself finds a partition by its label: since 5.11 (``init/do_mounts.c``, now ``block/early-lookup.c``)."""
    return spec.startswith("PARTLABEL=") and version_key(version)[:2] >= version_key("5.11")


def _asks(boot: DefaultBoot) -> bool:
    """Whether the image is one of initramfs-tools that needs a root=: it sets no ``ROOT`` itself (conf/param.conf, conf/conf.d), and is
    not told to boot by another script than ``local``, which may know better (``scripts/local``, ``local_device_setup``)."""
    path, entry = boot.path, boot.choice.entry
    image = path.image if path else None
    if path is None or image is None or entry is None or image.generator != "initramfs-tools" or image.damage or path.rebuilt is not None:
        return False
    args = {arg.name for arg in path.choice.args}
    return not embedded_root(image) and not args & {"root", "boot", "nfsroot", "netboot", "iscsi_target_name", "iscsi_auto"}


def _hashed(boot: DefaultBoot, name: str = "root") -> VerityVolume | None:
    """The dm-verity volume that the default entry identifies by its hash."""
    image = boot.path.image if boot.path else None
    return next((one for one in verity_volumes(tuple(boot.choice.args), image) if one.name == name), None)


def _of_hash(boot: DefaultBoot, volume: VerityVolume, devices: Devices) -> Cause[None]:
    """Both partitions exist, one certainly does not, or it cannot be determined."""
    missing = [spec for spec in volume.specs if devices.present(spec) is False]
    if missing and volume.runs:
        return boot.fault(f"{volume.argument.name}= asks for {missing[0]}, which is on none of these disks", volume.argument.where, None)
    if all(devices.present(spec) for spec in volume.specs) and volume.runs:
        return boot.passes(f"{volume.argument.name}= finds {volume.specs[0]}", volume.argument.where)
    reason = f"whether {volume.argument.name}= finds {' and '.join(volume.specs)} cannot be told"
    return Cause(Fate.UNKNOWN, reason, volume.argument.where)


def _verity_usr(boot: DefaultBoot, devices: Devices) -> Iterator[Cause[None]]:
    """/usr by its hash: the initramfs waits for it like for the root."""
    volume = _hashed(boot, "usr")
    if volume is not None and volume.runs:
        yield _of_hash(boot, volume, devices)


def _named_usr(boot: DefaultBoot, devices: Devices, landing: Landing, blocks: BlockTable) -> Iterator[Cause[None]]:
    """/usr on its own device, which the initramfs waits for."""
    argument = early_usr(tuple(boot.choice.args), boot.path.image if boot.path else None)
    value = argument.value if argument else None
    if argument is None or value is None or is_elsewhere(value):
        return
    changes = name_fate(value, landing.prefixes, blocks) is NameFate.GONE or name_kind(value) is NameKind.HARDWARE
    present = devices.present(value)
    if changes or present is False:
        reason = f"{argument}, a name that changes" if changes else f"{argument} is on none of these disks"
        yield boot.fault(reason, argument.where, None)
    elif present is None:
        yield Cause(Fate.UNKNOWN, f"{argument} could not be matched to a device on these disks", argument.where)


def _without_root(boot: DefaultBoot, devices: Devices, automatic: GptAuto | None, prefixes: frozenset[str]) -> Cause[None]:
    """What is mounted if the command line names no root."""
    path = boot.path
    volume = _hashed(boot)
    if volume is not None:
        return _of_hash(boot, volume, devices)
    where = path.image.where if path and path.image else boot.choice.where
    spec = embedded_root(path.image) if path and path.image else ""
    if spec:
        gone = name_fate(spec, prefixes, devices.blocks) is NameFate.GONE
        present = False if gone else devices.present(spec)
        reason = f"root={spec} inside the initramfs{', a name that is not there' if gone else ''}"
        if present is None:
            return Cause(Fate.UNKNOWN, reason, where)
        return boot.passes(reason, where) if present else boot.fault(reason, where, None)
    if automatic is not None and automatic.root is not None and automatic.runs:
        return boot.passes(f"no root=: systemd takes {automatic.root.name} by its partition type", boot.choice.where)
    unread = boot.assumed if boot.choice.entry is None else ""
    return Cause(Fate.UNKNOWN, unread or "the kernel command line has no root=", boot.choice.where)


def _doubled(stack: RootStack, blocks: BlockTable) -> Iterator[Cause[None]]:
    """One physical volume seen twice, as on the disks of a clone: "Cannot activate LVs in VG vg0 while PVs appear on duplicate devices"."""
    for volume in stack.of_kind("lv"):
        group = volume.name.partition("/")[0]
        members = (blocks.named(name) for name in volume.parents)
        same = next((same for member in members if member and member.uuid and (same := blocks.twins(f"UUID={member.uuid}"))), ())
        if same:
            names = " and ".join(device.name for device in same)
            reason = f"{names} are the same physical volume: LVM activates nothing of {group}, unless its settings leave one of them out"
            yield Cause(Fate.UNKNOWN, reason, Device(same[0].name))
        elif len(named := {device.detail("vg_uuid"): device for device in blocks if device.detail("vg") == group}) > 1:
            names = " and ".join(device.name for device in named.values())
            reason = f"{names} belong to different groups called {group}: LVM activates neither by this name"
            yield Cause(Fate.UNKNOWN, reason, Device(next(iter(named.values())).name))


def _replayed(fs: GuestFS) -> Iterator[Cause[None]]:
    """A root whose journal the kernel has to replay, without certainty that it can."""
    root = fs.mounts["/"]
    if root.stale:
        yield Cause(Fate.UNKNOWN, unknown_state(root), WholeFile("/"))


class RootVerdict(Verdict, stage=Stage.ROOT, place=60):
    """Do the root named on the command line and the layers under it exist under those names on the target?"""

    names = Judge(_names)
    missing = Judge(_missing)
    multipath = Judge(_multipath)
    parts = Judge(_parts)
    containers = Judge(_containers)
    early = Judge(_early)
    arrays = Judge(early_arrays)
    volumes = Judge(early_volumes)
    identities = Judge(early_identities)
    sectors = Judge(_sectors)
    unnamed = Judge(_unnamed)
    device = Judge(_device)
    verity_usr = Judge(_verity_usr)
    named_usr = Judge(_named_usr)
    filesystem_type = Judge(filesystem_type)
    subvolume = Judge(subvolume)
    deployment = Judge(deployment)
    doubled = Judge(_doubled)
    replayed = Judge(_replayed)
