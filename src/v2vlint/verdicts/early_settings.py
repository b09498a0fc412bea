"""The devices that mdadm.conf and lvm.conf exclude under the target's names: in the initramfs, and again at the mounts."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from v2vlint.facts.boot.cmdline import last_arg
from v2vlint.facts.boot.early_unlock import EarlyImage
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.initramfs.early_conf import early_lvm, early_lvm_devices, early_mdadm
from v2vlint.facts.storage.devices import NameFate, NameKind, name_fate, name_kind
from v2vlint.facts.storage.lvm_conf import LvmConf, LvmFilter
from v2vlint.facts.storage.lvm_devices import LvmDevice
from v2vlint.facts.storage.mdadm_conf import MdadmConf
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.disk_letters import letters_of
from v2vlint.model.finding import Fate
from v2vlint.model.place import Token, Where
from v2vlint.model.verdict import Cause, doubt, fault

HARDWARE_IDS = frozenset({"sys_wwid", "sys_serial", "mpath_uuid", "wwid_naa", "wwid_eui", "wwid_t10"})
"""Types of identities in LVM's devices file that another hypervisor's disks do not have."""
_BY_UDEV = re.compile(r"/?(?:usr/)?(?:lib|etc)/udev/rules\.d/6\d-md-(?:raid-assembly|incremental)[\w-]*\.rules")
_BY_CONF = ("sbin/mdadm_auto", "usr/sbin/mdadm_auto")
"""dracut up to that of RHEL 6 calls ``mdadm --assemble --scan`` where it has an mdadm.conf."""
_WILDCARD = re.compile(r"[*?\[]")
_PREFIXES = ("hd", "sd", "vd", "xvd", "nvme")
_DISK_NAME = re.compile(r"/dev/(hd|sd|vd|xvd|nvme|mmcblk|cciss|ida|rd)(?=[^/]|/c?\d|$)")
# Links by dm-, lvm- and md- contain identities stored on the disks, which travel with them.
_OF_HARDWARE = re.compile(r"/dev/disk/by-(?:path|id)/(?!dm-|lvm-|md-)")


@dataclass(frozen=True, slots=True)
class TiedArray:
    """Names in mdadm.conf that disappear: on DEVICE lines (``array`` is empty), or of one array's members. ``renamed``: it is assembled all
    the same, under another name.
    """

    tokens: tuple[Token, ...]
    array: str
    needed: bool = True
    renamed: bool = False


def ties(conf: MdadmConf, landing: Landing, blocks: BlockTable, awaited: frozenset[str] = frozenset()) -> Iterator[TiedArray]:
    """The DEVICE lines, combined, and the member lists with names that the target does not have. ``awaited`` are the members that matter;
    empty for all.
    """
    members = tuple(d for d in blocks if d.fs_type == "linux_raid_member" and (not awaited or d.name in awaited))
    lists: list[tuple[tuple[Token, ...], str]] = [(conf.scan, ""), *((array.devices, str(array.device)) for array in conf.arrays)]
    for tokens, array in lists:
        tied = tuple(token for token in tokens if _is_tied(token, landing, blocks, members))
        # "DEVICE partitions" lets mdadm look everywhere, whatever else is listed: mdadm.conf(5).
        if tied and not any(token.value == "partitions" for token in tokens) and not _covered(members, tokens, landing):
            yield TiedArray(tied, array)


def taken_by_udev(paths: Iterable[str]) -> bool:
    """Whether udev's rules among ``paths`` hand each member to ``mdadm --incremental``. It assembles an array that fits no ARRAY line all
    the same, under another name, where ``--assemble --scan`` passes over it (both tried with mdadm 4.2).
    """
    return any(map(_BY_UDEV.fullmatch, paths))


def of_array(tied: TiedArray, stops: bool, named: bool, reason: str, where: Where | None) -> Cause[TiedArray]:
    """What a list of members does that udev does not heed: it matters where the array is ``named`` as such."""
    told, found = f"{reason}, so that it is assembled under another name", replace(tied, renamed=True)
    return doubt(True, told, where, found) if stops and named else fault(False, told, where, found)


def _covered(members: tuple[BlockDevice, ...], tokens: tuple[Token, ...], landing: Landing) -> bool:
    """Whether patterns among ``tokens`` match every member under a name that it has on the target."""
    patterns = [token.value for token in tokens if _WILDCARD.search(token.value)]
    return bool(members) and all(_matches(patterns, member, landing.prefixes) for member in members)


def _matches(patterns: Iterable[str], member: BlockDevice, prefixes: Iterable[str]) -> bool:
    names = [name for prefix in prefixes for name in _paths(member, prefix)]
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _is_tied(token: Token, landing: Landing, blocks: BlockTable, members: tuple[BlockDevice, ...]) -> bool:
    stem = _WILDCARD.split(token.value, maxsplit=1)[0]
    if stem != token.value:
        # Without prefixes it is not known what disks are called there, and no name counts as gone.
        disk = _DISK_NAME.match(f"{stem}*")  # the stem may end where the prefix does: /dev/sd*
        foreign = bool(landing.prefixes) and disk is not None and disk[1] not in landing.prefixes
        return foreign or _OF_HARDWARE.match(stem) is not None or _matches_only_elsewhere(token.value, landing, members)
    gone = name_fate(token.value, landing.prefixes, blocks) is NameFate.GONE
    return gone or name_kind(token.value) is NameKind.HARDWARE


def _matches_only_elsewhere(pattern: str, landing: Landing, members: tuple[BlockDevice, ...]) -> bool:
    """Whether ``pattern`` matches members under names of other controllers only: ``/dev/[hs]d*``."""
    there = any(_matches((pattern,), member, landing.prefixes) for member in members)
    return bool(landing.prefixes) and not there and any(_matches((pattern,), member, _PREFIXES) for member in members)


@dataclass(frozen=True, slots=True)
class Rejected:
    """Physical volumes that a filter in lvm.conf rejects: ``volumes`` pairs them with their names on the target, the needed one first."""

    setting: LvmFilter
    volumes: tuple[tuple[BlockDevice, tuple[str, ...]], ...]
    needed: bool


def rejections(conf: LvmConf, blocks: BlockTable, landing: Landing, needs: Callable[[str], bool]) -> Iterator[Cause[Rejected | None]]:
    """The filters of ``conf`` against all physical volumes, of which ``needs`` says which ones the boot waits for."""
    volumes = tuple(device for device in blocks if device.fs_type == "LVM2_member")
    for setting in conf.filters if volumes else ():
        named = [(volume, _paths(volume, prefix)) for volume in volumes for prefix in sorted(landing.prefixes)]
        accepted = {paths: setting.accepts(*paths) for _volume, paths in named}
        lost = sorted((one for one in named if accepted[one[1]] is False), key=lambda one: not needs(one[0].name))
        if lost:
            needed = needs(lost[0][0].name)
            reason = f"{setting.name} rejects {lost[0][1][0]}, the name of the physical volume {lost[0][0].name} on the target"
            yield fault(needed, reason, setting.where, Rejected(setting, tuple(lost), needed))
        # None: a pattern that could not be evaluated may accept the volume or not.
        elif None in accepted.values():
            yield Cause(Fate.UNKNOWN, f"{setting.name} has a pattern that cannot be evaluated", setting.where)


def _paths(volume: BlockDevice, prefix: str) -> tuple[str, ...]:
    """The paths under which LVM sees the device there: the kernel's name and the links that travel with the disk."""
    letters, number = letters_of(volume.disk), volume.number
    kernel = f"/dev/nvme{volume.disk}n1" if prefix == "nvme" else f"/dev/{prefix}{letters}"
    part = f"p{number}" if prefix == "nvme" else str(number)
    links = (f"/dev/disk/by-id/lvm-pv-uuid-{volume.uuid}", f"/dev/disk/by-partuuid/{volume.part_uuid}")
    # Without a UUID there is no such link.
    return (kernel + part if number else kernel, *(link for link in links if not link.endswith(("-", "/"))))


def early_arrays(
    early: EarlyImage, stack: RootStack, landing: Landing, blocks: BlockTable, own: MdadmConf | None
) -> Iterator[Cause[TiedArray]]:
    """mdadm.conf in the initramfs, by which the arrays under the root are assembled."""
    below = {layer.name for layer in stack.of_kind("md")}
    members = frozenset(parent for layer in stack.of_kind("md") for parent in layer.parents)
    files = early.image.files if early.image else frozenset[str]()
    by_udev = taken_by_udev(files) and not files.intersection(_BY_CONF)
    root = last_arg(early.args, "root")
    named = root is None or (root.value or "").startswith("/dev/md")
    for tied in ties(early_mdadm(early.image), landing, blocks, members) if early.image and below else ():
        array = blocks.resolve(tied.array) if tied.array else None
        if array is not None and array.name not in below:
            continue
        token = tied.tokens[0]
        copied = (mine.where for one in ties(own, landing, blocks) for mine in one.tokens if mine.value == token.value) if own else iter(())
        reason = f"mdadm.conf in the initramfs binds {tied.array or 'DEVICE'} to {token.value}, a name that changes"
        # An array whose name matches none of the guest may be the one under the root, or another.
        certain = early.certain and (not tied.array or array is not None)
        if tied.array and by_udev:
            yield of_array(tied, True, named, reason, _place(copied, early))
        else:
            yield (fault if certain else doubt)(True, reason, _place(copied, early), tied)


def early_volumes(
    early: EarlyImage, stack: RootStack, landing: Landing, blocks: BlockTable, own: LvmConf | None
) -> Iterator[Cause[Rejected | None]]:
    """lvm.conf in the initramfs, by which the volumes under the root are found; with a devices file LVM ignores its filters."""
    if early.image and early_lvm(early.image).use_devices_file and early_lvm_devices(early.image):
        return
    below = {parent for layer in stack.of_kind("lv") for parent in layer.parents}
    for cause in rejections(early_lvm(early.image), blocks, landing, below.__contains__) if early.image and below else ():
        about = cause.about
        if about is not None and not about.needed:
            continue
        name = about.setting.name if about else ""
        copied = (one.where for one in own.filters if about and one.name == name and _same(one, about.setting)) if own else iter(())
        where, reason = _place(copied, early), f"in the initramfs, {cause.reason}"
        yield (fault if early.certain else doubt)(True, reason, where, about) if about else Cause(Fate.UNKNOWN, reason, where)


def _same(one: LvmFilter, other: LvmFilter) -> bool:
    return [(pattern.accept, pattern.regex) for pattern in one.patterns] == [(pattern.accept, pattern.regex) for pattern in other.patterns]


def early_identities(early: EarlyImage, stack: RootStack) -> Iterator[Cause[tuple[LvmDevice, ...]]]:
    """LVM's devices file in the initramfs, if its lvm.conf enables it."""
    if early.image is None or not stack.of_kind("lv") or not early_lvm(early.image).use_devices_file:
        return
    tied = tuple(device for device in early_lvm_devices(early.image) if device.id_type in HARDWARE_IDS)
    if tied:
        reason = f"in the initramfs, LVM only accepts disks with the source's identities ({tied[0].id_name})"
        yield (fault if early.certain else doubt)(True, reason, early.image.where, tied)


def _place(copied: Iterator[Where], early: EarlyImage) -> Where | None:
    """The line of the guest's own file that was copied into the image, or else the image."""
    return next(copied, early.image.where if early.image else None)
