"""The checks that the scripts of inits other than systemd run before mounting: ``fsck -A``, and whether they stop when it fails.

``fsck -A`` looks at every line of fstab with a pass number, ``noauto`` ones too, but for ``nofail`` ones whose device is missing. Without
the device it returns 8, or 6 for FAT since dosfstools 4.2; the type ``auto``, binds, swap and network filesystems are left out (util-linux
2.38 was asked: ``fsck -T -M -A -a`` on one line each). Above 1, Debian's ``checkfs.sh``, Red Hat's ``rc.sysinit`` and Void's
``03-filesystems.sh`` stop in a shell. OpenRC's ``fsck`` calls 8 an operational error and goes on; anything else that is not repaired
aborts the runlevel. A line whose type has no ``fsck.TYPE`` is passed over, also those of which ``fsck`` then says so: Debian's checkfs.sh
was run in a container with each type.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator

from v2vlint.facts.boot.bootloader import default_entries
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.syntax.conf_vars import conf_vars
from v2vlint.facts.syntax.shell_source import sh_is_bash
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal

FASTBOOT = "/fastboot"
_FAT = frozenset({"vfat", "msdos"})
_CHECKED = _FAT | {
    "ext2", "ext3", "ext4", "ext4dev", "xfs", "btrfs", "jfs", "reiserfs", "minix", "f2fs", "exfat", "cramfs", "gfs2", "ocfs2", "nilfs2",
}  # fmt: skip
_PASSES = re.compile(r"([<=>]?)(\d+)")
_COMPARES: dict[str, Callable[[int, int], bool]] = {"": operator.eq, "=": operator.eq, "<": operator.lt, ">": operator.gt}
_PROGRAMS = ("/sbin", "/usr/sbin", "/bin", "/usr/bin")
_CHECKS = ("/etc/rcS.d/S*checkfs*", "/etc/runlevels/*/checkfs.sh", "/etc/runlevels/*/mountall.sh")
"""Who runs Debian's check: rcS(5), or OpenRC, where mountall.sh needs it."""
_FSCK = ("/sbin/fsck", "/usr/sbin/fsck")


@dataclass(frozen=True, slots=True)
class ScriptChecks:
    """``runs``: whether anything is checked. ``types`` limits it (empty: every type), ``network``: lines with ``_netdev`` are checked too.

    ``fatal`` are the types whose missing device stops the boot. ``points`` are the mount points that OpenRC hands to ``fsck`` one by one,
    whatever their pass number and ``nofail``; without any, the pass numbers count.
    """

    runs: bool = False
    types: frozenset[str] = frozenset()
    network: bool = False
    fatal: frozenset[str] = _CHECKED
    points: frozenset[str] = frozenset()

    def fails(self, entry: FstabEntry) -> bool:
        """Whether boot stops at the check of ``entry`` when its device is missing."""
        if self.points:
            return self.runs and entry.mount_point in self.points and entry.fs_type in self.fatal
        if not self.runs or entry.passno < 1 or entry.nofail or entry.is_bind or entry.fs_type not in self.fatal:
            return False
        return (self.network or "_netdev" not in entry.options) and (not self.types or entry.fs_type in self.types)


def script_checks(style: str, family: str, fs: GuestFS, fstab: Fstab, store: FactStore) -> ScriptChecks:
    """According to the scripts of ``style`` (``sysv``, ``openrc``, ``runit``), or Debian's if they exist."""
    if style not in ("sysv", "openrc", "runit") or fs.exists(FASTBOOT) or "fastboot" in arguments(store):
        return ScriptChecks()
    if style == "openrc":
        busybox = any((fs.resolve(path) or "").endswith("/busybox") for path in _FSCK)
        points = _openrc_points(fs, fstab)
        return ScriptChecks(not busybox and points is not None, fatal=_FAT & _checked(fs), points=frozenset(points or ()))
    debian = style == "sysv" and family != "rhel"
    if debian and fs.glob("/etc/rcS.d/S*") and not any(fs.glob(pattern) for pattern in _CHECKS):
        return ScriptChecks()
    types = _types(fs) if debian else frozenset[str]()
    return ScriptChecks("none" not in types, types - {"none"}, network=debian, fatal=_checked(fs))


def _openrc_points(fs: GuestFS, fstab: Fstab) -> list[str] | None:
    """``fsck_mnt`` of OpenRC's fsck, or the mount points that ``fsck_passno`` selects. Without either, fsck is called for all lines; None
    with both, where it is not called at all.
    """
    conf = conf_vars((fs.text("/etc/conf.d/fsck"),), bash=sh_is_bash(fs), fs=fs)
    named, passes = conf.words("fsck_mnt"), conf.words("fsck_passno")
    if named and passes:
        return None
    return [word.value.rstrip("/") or "/" for word in named] + [point for word in passes for point in _selected(word.value, fstab)]


def _selected(passes: str, fstab: Fstab) -> Iterator[str]:
    """What fstabinfo(1) selects: ``<2`` and ``>2`` leave out lines without a pass number."""
    match = _PASSES.fullmatch(passes)
    for entry in fstab.entries if match else ():
        if match and _COMPARES[match[1]](entry.passno, decimal(match[2])) and (entry.passno or match[1] not in ("<", ">")):
            yield entry.mount_point


def _checked(fs: GuestFS) -> frozenset[str]:
    """The types for which ``fsck`` finds a program; all of them in a tree that has none at all, and so is not whole."""
    found = frozenset(kind for kind in _CHECKED if any(fs.exists(f"{folder}/fsck.{kind}") for folder in _PROGRAMS))
    return found or _CHECKED


def arguments(store: FactStore) -> frozenset[str]:
    """The names on the default entries' command lines; none where the boot loader is not understood."""
    return frozenset(arg.name for entry in default_entries(store) for arg in entry.args)


def _types(fs: GuestFS) -> frozenset[str]:
    """``FSCKTYPES`` of rcS(5): a list of types, or ``none``. A list of excluded types is ignored."""
    found = conf_vars((fs.text("/etc/default/rcS"),), bash=sh_is_bash(fs), fs=fs).last("FSCKTYPES")
    words = re.split(r"[,\s]+", found.value.strip()) if found and found.value.strip() else []
    return frozenset(words) if not any((word.startswith("no") and word != "none") or "=" in word for word in words) else frozenset()
