"""Find operating systems by the content of filesystems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from v2vlint.disk.filesystems.formats import holds_roots_of
from v2vlint.disk.filesystems.node import FileSystem, as_known
from v2vlint.disk.volumes.stack import Stack
from v2vlint.guest.closed_roots import closed_root
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.mdadm_conf import array_names, read_mdadm_conf
from v2vlint.guest.mounts import Mount, Mounter, fstab_lines, ostree_root
from v2vlint.guest.osprobe import DISKLESS, INSTALLER, linux_info, other_info, windows_folder, windows_info
from v2vlint.model.blocks import ArrayName, BlockDevice
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable, ImageError
from v2vlint.model.osinfo import OsInfo

MAX_SUBVOLUMES = 400
_PROGRAMS = ("bin", "sbin", "usr")
_MARKS = (
    "/etc/os-release", "/usr/lib/os-release", "/etc/fstab", "/etc/passwd", "/etc/inittab", "/etc/redhat-release", "/etc/debian_version",
    "/etc/hostname", "/etc/init.d", "/etc/hosts",
)  # fmt: skip
_ROOT_ONLY = frozenset({"dev", "proc", "sys", "lib", "bin", "sbin", "root", "var", "boot", "home", "run", "tmp", "mnt"})

_BOOT_PARTITIONS = (("/esp", ("/EFI/Microsoft/Boot", "/EFI/Boot")), ("/system-reserved", ("/bootmgr", "/ntldr", "/NTLDR", "/BOOTMGR")))


@dataclass(frozen=True, slots=True)
class Root:
    """One operating system: the block device of its root, its files, what it is, and what is mounted where.

    ``subvolume`` is the path of the btrfs subvolume and ``deployment`` that of the ostree deployment, if the root is one.
    """

    device: str
    fs: GuestFS
    os: OsInfo
    mounts: tuple[Mount, ...] = ()
    subvolume: str = ""
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    device: BlockDevice
    system: FileSystem
    subvolume: str = ""


def find_roots(stack: Stack) -> tuple[Root, ...]:
    """All roots, in the order of their devices."""
    candidates = [found for device in list(stack.filesystems()) for found in _candidates(stack, device)]
    taken = frozenset(found.device.name for found in candidates)
    roots = [root for found in candidates if (root := _root(stack, found, taken)) is not None]
    # Ubuntu Core keeps the partition that it was installed from. Beside another system, Alpine's files are an installation medium.
    installed = {f"{root.os.name}{INSTALLER}" for root in roots} | {DISKLESS for root in roots if root.os.kind != "other"}
    found = tuple(root for root in roots if root.os.name not in installed)
    return (*found, *_closed(stack)) if not any(root.os.kind == "linux" for root in found) else found


def _closed(stack: Stack) -> Iterator[Root]:
    """A Linux with a root that cannot be opened, if there is no other: its unencrypted parts could belong to another one."""
    closed = closed_root(stack)
    if closed is not None:
        device, mounter, system = closed
        yield Root(device.name, mounter.guest(), system, tuple(mounter.mounts))


def _candidates(stack: Stack, device: BlockDevice) -> Iterator[_Candidate]:
    system = stack.open(device.name)
    if system is None:
        return
    try:
        if system.type == "btrfs":
            yield from _subvolumes(stack, device, system)
        elif _kind(system):
            yield _Candidate(device, system)
    except (FactUnavailable, ImageError) as error:
        stack.fail(device.name, getattr(error, "reason", "") or str(error))


def _kind(system: FileSystem) -> str:
    """``linux``, ``ostree``, ``windows``, ``other`` or an empty string. FactUnavailable when the top directory cannot be read."""
    fs = GuestFS({"/": as_known(system)})
    names = set(fs.listdir("/"))
    folded = {name.lower() for name in names}
    if "etc" in names and names & set(_PROGRAMS) and len(names & _ROOT_ONLY) >= 2 and any(_present(fs, mark) for mark in _MARKS):
        return "linux"
    if "ostree" in names and fs.is_dir("/ostree/deploy"):
        return "ostree"
    if holds_roots_of(system.type, "windows") and windows_folder(fs):
        return "windows"
    return "other" if other_info(folded) else ""


def _present(fs: GuestFS, path: str) -> bool:
    try:
        return fs.exists(path) or fs.readlink(path) is not None
    except FactUnavailable:
        return True


def _subvolumes(stack: Stack, device: BlockDevice, system: FileSystem) -> Iterator[_Candidate]:
    from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem

    assert isinstance(system, BtrfsFileSystem)
    everything = system.subvolumes
    layer = stack.layers[device.name]
    facts = (
        ("subvolumes", ",".join(one.path for one in everything if one.path and not one.snapshot)[:4096]),
        ("snapshots", str(sum(one.snapshot for one in everything))),
        ("default_subvolume", next((one.path for one in everything if one.default), "")),
    )
    layer.device = replace(layer.device, details=layer.device.details + facts)
    rooted = [(one, tree) for one in everything[:MAX_SUBVOLUMES] if kind_of(tree := system.choose(one.id)) in ("linux", "ostree")]
    chosen = [(one, tree) for one, tree in rooted if one.default or _claims(tree, one.path)]
    chosen = chosen or [(one, tree) for one, tree in rooted if not one.snapshot] or rooted[-1:]
    for one, tree in chosen:
        yield _Candidate(layer.device, tree, one.path)


def kind_of(system: FileSystem) -> str:
    """What is installed on a filesystem: ``linux``, ``ostree``, ``windows``, ``other`` or an empty string, also when it cannot be read."""
    try:
        return _kind(system)
    except (FactUnavailable, ImageError):
        return ""


def _claims(system: FileSystem, path: str) -> bool:
    """Whether the fstab in a subvolume says that this very subvolume is its root."""
    lines = [line for line in fstab_lines(GuestFS({"/": as_known(system)})) if line.point == "/"]
    return any(line.option("subvol").strip("/") == path for line in lines if "subvol" in ",".join(line.options))


def _root(stack: Stack, found: _Candidate, taken: frozenset[str]) -> Root | None:
    kind = kind_of(found.system)
    if kind == "windows":
        return _windows_root(stack, found, taken)
    if kind == "other":
        names = {name.lower() for name in GuestFS({"/": as_known(found.system)}).listdir("/")}
        return Root(found.device.name, GuestFS({"/": found.system}), other_info(names) or OsInfo("other", "", "", "unknown"))
    return _linux_root(stack, found, taken, ostree=kind == "ostree")


def _windows_root(stack: Stack, found: _Candidate, taken: frozenset[str]) -> Root:
    """C: at the top; the EFI system partition as /esp and the partition with the BIOS boot manager as /system-reserved, if they exist.

    A BIOS starts the active partition of the first disk that has one: where that is C:, that of a later disk counts for nothing.
    """
    systems, mounts = {"/": found.system}, [Mount("/", found.device.name)]
    free = [device for device in stack.filesystems() if device.name not in taken]
    free.sort(key=lambda device: device.disk != found.device.disk)  # those on the disk of C: first
    for point, marks in _BOOT_PARTITIONS:
        own = point == "/system-reserved" and found.device.bootable and _holds_any(found.system, marks)
        for device in free:
            if own and (not device.bootable or device.disk > found.device.disk):
                continue
            system = stack.open(device.name)
            if system is not None and _holds_any(system, marks):
                systems[point] = system
                mounts.append(Mount(point, device.name))
                break
    fs = GuestFS(systems)
    return Root(found.device.name, fs, windows_info(fs.as_known()), tuple(mounts))


def _holds_any(system: FileSystem, marks: tuple[str, ...]) -> bool:
    return any(_present(GuestFS({"/": as_known(system)}), mark) for mark in marks)


def _linux_root(stack: Stack, found: _Candidate, taken: frozenset[str], *, ostree: bool) -> Root | None:
    mounter = Mounter(stack, found.device.name, found.system, found.subvolume, taken)
    deployment = ""
    if ostree:
        try:
            free = (stack.open(device.name) for device in stack.filesystems() if device.name not in taken)
            deployment, trees = ostree_root(found.system, (system for system in free if system is not None))
        except FactUnavailable as error:
            stack.fail(found.device.name, error.reason)
            return None
        if not deployment:
            return None
        mounter.systems.update(trees)
        mounter.mounts += [Mount(point, found.device.name, found.subvolume) for point in trees if point != "/"]
        if "/boot" in trees and _is_bare(mounter.known()):
            del mounter.systems["/boot"]
    stack.name_arrays(_array_names(mounter.known()))  # fstab may use these names
    mounter.mount_all()
    return Root(found.device.name, mounter.guest(), linux_info(mounter.known()), tuple(mounter.mounts), found.subvolume, deployment)


def _is_bare(fs: GuestFS) -> bool:
    """Whether /boot contains neither a kernel nor loader entries; an unreadable one does not count as bare."""
    try:
        return fs.glob("/boot/*vmlinuz*") == fs.glob("/boot/loader*") == ()
    except FactUnavailable:
        return False


def _array_names(fs: GuestFS) -> tuple[ArrayName, ...]:
    """mdadm.conf's names for arrays; empty when it cannot be read, which the rules that need it will report."""
    try:
        return array_names(read_mdadm_conf(fs))
    except FactUnavailable:
        return ()
