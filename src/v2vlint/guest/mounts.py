"""Which filesystem is mounted where in a Linux root: by its fstab where entries resolve, else by content.

A broken fstab is exactly what has to be reported, so /boot, /usr, /var and the EFI system partition are also found without it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from v2vlint.disk.filesystems.node import FileSystem, as_known
from v2vlint.disk.volumes.stack import Stack
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.subtree import descend
from v2vlint.guest.text import split_lines
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.errors import FactUnavailable, ImageError
from v2vlint.model.octal import unescaped

ESP_TYPES = frozenset({"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef"})
XBOOTLDR = "bc13c2ff-59e6-4262-a352-b275fd6f7172"
MAX_FSTAB = 1 << 20
MAX_ENTRIES = 1000
_SYSTEM = ("/boot/", "/efi/", "/usr/", "/var/")
_KERNEL = re.compile(r"(vmlinu[xz]|linux|kernel|bzImage|Image|initr|grub2?$|loader$|extlinux$|syslinux$|System\.map)")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount: ``device`` is the name of the block device, ``subvolume`` the path of the btrfs subvolume, if one is selected."""

    point: str
    device: str
    subvolume: str = ""


@dataclass(frozen=True, slots=True)
class MountLine:
    """An fstab entry, unescaped."""

    spec: str
    point: str
    type: str
    options: tuple[str, ...]

    def option(self, name: str) -> str:
        """The value of an option, or an empty string."""
        return next((one.partition("=")[2] for one in self.options if one.partition("=")[0] == name), "")


class Mounter:
    """Builds the mount table of one root. ``systems`` and ``mounts`` are the result; ``/`` is present from the start."""

    def __init__(self, stack: Stack, device: str, system: FileSystem, subvolume: str = "", taken: frozenset[str] = frozenset()) -> None:
        self.stack = stack
        self.systems: dict[str, FileSystem] = {"/": system}
        self.mounts: list[Mount] = [Mount("/", device, subvolume)]
        self._taken = taken | {device}

    def guest(self) -> GuestFS:
        """The tree with the mounts so far."""
        return GuestFS(self.systems, self.stack.opened)

    def known(self) -> GuestFS:
        """The tree for finding out more: a filesystem whose journal cannot be replayed is read without."""
        return self.guest().as_known()

    def mount_all(self) -> None:
        """Mount the filesystems in fstab, then those that are still missing and can be recognised by content."""
        lines = sorted(fstab_lines(self.known()), key=lambda line: line.point.count("/"))  # parents first
        names = self._crypttab()
        for line in lines:
            # Some mount /boot only for updates, and boot loaders read it all the same.
            wanted = "noauto" not in line.options or f"{line.point}/".startswith(_SYSTEM)
            if wanted and line.point not in self.systems and line.point.startswith("/"):
                self._mount_line(line, names)
        if "/boot" not in self.systems and _is_empty(self.known(), "/boot"):
            self._mount_found("/boot", _is_xbootldr)
        for point, looks_right in (("/usr", _is_usr), ("/var", _is_var), ("/boot", _is_boot)):
            if point not in self.systems and _is_empty(self.known(), point):
                self._mount_found(point, looks_right)
        self._mount_esp()

    def _mount_line(self, line: MountLine, names: Mapping[str, str]) -> None:
        device = self._device(line.spec, names)
        # Another subvolume of the root's own btrfs.
        if device is not None and (device.name != self.mounts[0].device or device.fs_type == "btrfs"):
            self._mount(line.point, device, line)

    def _device(self, spec: str, names: Mapping[str, str]) -> BlockDevice | None:
        blocks = self.stack.blocks
        if spec.startswith("/dev/mapper/") and spec[12:] in names:
            outer = blocks.resolve(names[spec[12:]])
            inner = blocks.children(outer.name) if outer else ()
            return inner[0] if len(inner) == 1 else None
        return blocks.resolve(spec)

    def _crypttab(self) -> dict[str, str]:
        """Mapping names of crypttab with their sources."""
        rows = (line.split() for line in split_lines(_text(self.known(), "/etc/crypttab"))[:MAX_ENTRIES])
        return {row[0]: row[1].replace('"', "") for row in rows if len(row) > 1 and not row[0].startswith("#")}

    def _mount(self, point: str, device: BlockDevice, line: MountLine | None = None) -> bool:
        if device.name not in {one.name for one in self.stack.filesystems()}:
            return False
        system = self.stack.open(device.name)
        if system is None:
            return False
        subvolume = ""
        if line is not None and system.type == "btrfs":
            system, subvolume = choose_subvolume(system, line)
        self.systems[point] = system
        self.mounts.append(Mount(point, device.name, subvolume))
        return True

    def _free(self) -> Iterator[BlockDevice]:
        used = self._taken | {mount.device for mount in self.mounts}
        return (device for device in self.stack.filesystems() if device.name not in used)

    def _mount_found(self, point: str, looks_right: Callable[[GuestFS, BlockDevice], bool]) -> None:
        home = self.stack.blocks.named(self.mounts[0].device)
        found = [device for device in self._free() if self._looks(device, looks_right)]
        found.sort(key=lambda device: home is None or device.disk != home.disk)
        near = [device for device in found if home is not None and device.disk == home.disk]
        # Of several, only a single one on the root's own disk is chosen: a guess between equals could be another system's.
        if len(found) == 1 or len(near) == 1:
            self._mount(point, found[0])

    def _looks(self, device: BlockDevice, looks_right: Callable[[GuestFS, BlockDevice], bool]) -> bool:
        system = self.stack.open(device.name)
        try:
            return system is not None and looks_right(GuestFS({"/": as_known(system)}), device)
        except FactUnavailable:
            return False

    def _is_perhaps_esp(self, mount: Mount) -> bool:
        device = self.stack.blocks.named(mount.device)
        usual = mount.point.startswith(("/boot", "/efi")) and self.systems[mount.point].type == "vfat"
        # An extended boot loader partition is often FAT as well, and is no ESP.
        return usual and (device is None or device.part_type != XBOOTLDR)

    def _mount_esp(self) -> None:
        guest = self.known()
        if any(self._is_perhaps_esp(mount) for mount in self.mounts):
            return
        if _is_empty(guest, "/boot") and not guest.is_dir("/boot/efi") and not guest.is_dir("/efi"):
            self._mount_found("/boot", _is_boot_esp)
        point = next((point for point in ("/boot/efi", "/efi") if _is_empty(guest, point) and guest.is_dir(point)), "/boot/efi")
        self._mount_found(point, _is_esp)


def choose_subvolume(system: FileSystem, line: MountLine) -> tuple[FileSystem, str]:
    """The subvolume selected by the options of ``line``, with its path; the default one when the selected one does not exist."""
    from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem

    if not isinstance(system, BtrfsFileSystem):
        return system, ""
    path, number = line.option("subvol").strip("/"), line.option("subvolid")
    try:
        for subvolume in system.subvolumes:
            if (path and subvolume.path == path) or (not path and number == str(subvolume.id)):
                return system.choose(subvolume.id), subvolume.path
    except ImageError:
        return system, ""
    return system, next((one.path for one in system.subvolumes if one.default), "")


def fstab_lines(fs: GuestFS) -> Iterator[MountLine]:
    """Entries of /etc/fstab that mount a filesystem of a block device."""
    for text in split_lines(_text(fs, "/etc/fstab"))[:MAX_ENTRIES]:
        words = [unescaped(word) for word in text.split()]
        if len(words) < 3 or words[0].startswith("#") or words[2] == "swap" or not words[1].startswith("/"):
            continue
        options = tuple(words[3].split(",")) if len(words) > 3 and not words[3].startswith("#") else ()
        spec = words[0].replace('"', "")  # UUID="…" is allowed: blkid_parse_tag_string() of libblkid
        if spec.startswith(("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=")) and not {"bind", "rbind"} & set(options):
            yield MountLine(spec, "/" + words[1].strip("/"), words[2], options)


def _text(fs: GuestFS, path: str) -> str:
    try:
        return (fs.read(path, MAX_FSTAB) or b"").decode("utf-8", "surrogateescape")
    except FactUnavailable:
        return ""


def _is_empty(fs: GuestFS, path: str) -> bool:
    """Whether a directory is missing or contains nothing beyond what a mount point usually does."""
    try:
        return not set(fs.listdir(path)) - {"lost+found", "efi", "grub", "EFI", ".keep"}
    except FactUnavailable:
        return False


def _is_usr(fs: GuestFS, _device: BlockDevice) -> bool:
    return {"bin", "lib", "share"} <= set(fs.listdir("/")) and not fs.is_dir("/etc")


def _is_var(fs: GuestFS, _device: BlockDevice) -> bool:
    return {"lib", "log", "cache"} <= set(fs.listdir("/")) and not fs.is_dir("/etc")


def _is_boot(fs: GuestFS, device: BlockDevice) -> bool:
    names = fs.listdir("/")
    if device.part_type in ESP_TYPES:
        return False
    return any(_KERNEL.match(name) for name in names) and not {"etc", "usr"} & set(names)


def _is_xbootldr(_fs: GuestFS, device: BlockDevice) -> bool:
    """A partition that systemd-gpt-auto-generator(8) mounts at an empty /boot that fstab does not mention."""
    return device.part_type == XBOOTLDR


def _is_esp(fs: GuestFS, device: BlockDevice) -> bool:
    return fs.mounts["/"].type == "vfat" and (device.part_type in ESP_TYPES or fs.is_dir("/EFI"))


def _is_boot_esp(fs: GuestFS, device: BlockDevice) -> bool:
    return _is_esp(fs, device) and (fs.is_dir("/loader") or any(_KERNEL.match(name) for name in fs.listdir("/")))


def ostree_root(system: FileSystem, others: Iterable[FileSystem] = ()) -> tuple[str, dict[str, FileSystem]]:
    """The path of the deployment that boots by default on an ostree filesystem and its mounts; an empty path when there is none.

    One of the ``others`` may be its /boot, whose entries name the deployment: after a rollback it is not the newest.
    """
    fs = GuestFS({"/": as_known(system)})
    deployments = [path for path in fs.glob("/ostree/deploy/*/deploy/*") if fs.is_dir(path + "/usr")]
    if not deployments:
        return "", {}
    chosen = next((path for path in _booted(fs, others) if path in deployments), "") or max(
        deployments, key=lambda path: _changed(fs, path)
    )
    trees = {"/": descend(system, chosen), "/var": descend(system, chosen.rsplit("/", 2)[0] + "/var"), "/boot": descend(system, "/boot")}
    return chosen, {point: tree for point, tree in trees.items() if tree is not None} | {"/sysroot": system}


def _booted(fs: GuestFS, others: Iterable[FileSystem]) -> Iterator[str]:
    """Deployments named by boot loader entries, the preferred one first: entries on the same filesystem, then those of a separate /boot."""
    for text in itertools.chain(_entries(fs, "/boot"), *(_entries(GuestFS({"/": as_known(other)}), "") for other in others)):
        match = re.search(r"\bostree=(\S+)", text)
        resolved = fs.resolve(match[1]) if match else None
        if resolved:
            yield resolved


def _entries(fs: GuestFS, folder: str) -> list[str]:
    """The entries below ``folder``, the default first: ostree numbers them (ostree-1, ostree-2), and it has the highest number."""
    try:
        names = fs.glob(f"{folder}/loader/entries/*.conf")[:MAX_ENTRIES]
        return [_text(fs, path) for path in sorted(names, key=_numbers, reverse=True)]
    except FactUnavailable:
        return []


def _numbers(path: str) -> tuple[list[int], str]:
    """A key that sorts ``ostree-10.conf`` behind ``ostree-2.conf``."""
    return [decimal(digits) for digits in re.findall("[0-9]+", path.rpartition("/")[2])], path


def _changed(fs: GuestFS, path: str) -> float:
    found = fs.stat(path)
    return found.mtime if found else 0.0
