"""Filesystem types of mounts that boot depends on: does the kernel that starts have them?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.kernel.kernels import Kernel, Presence
from v2vlint.facts.storage.fstab import FstabEntry
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.guest.fs import GuestFS
from v2vlint.model.verdict import Cause, fault

# Systems whose mount(8) finds its helpers outside /sbin, in folders made at boot: NixOS in /run, Guix likewise.
_STORES = ("/nix", "/gnu")
_HELPERS = ("/sbin/mount.", "/usr/sbin/mount.", "/usr/local/sbin/mount.")
# Always built in, without being listed anywhere; and words that are no type for the kernel.
_NO_MODULE = frozenset(
    {
        "auto",
        "none",
        "ignore",
        "swap",
        "bpf",
        "cpuset",
        "resctrl",
        "xenfs",
        "autofs",
        "rpc_pipefs",
        "nfsd",
        "rootfs",
        "functionfs",
        "smackfs",
    }
)
# Modules that register types of other names. Where they are built in, modules.alias is silent; modules.builtin.modinfo came with Linux 5.2.
_REGISTERS = {
    "ext2": "ext4", "ext3": "ext4", "iso9660": "isofs", "vxfs": "freevxfs", "v7": "sysv", "gfs2meta": "gfs2", "pvfs2": "orangefs",
    "binder": "binder_linux",
}  # fmt: skip


def unknown_types(policy: MountPolicy, choices: BootChoices, fs: GuestFS) -> Iterator[Cause[FstabEntry]]:
    """Types that are neither built in nor a module's, and that no program mounts: ``mount`` fails, and with it local-fs.target."""
    kernel = choices.default.kernel if choices.default and not choices.assumed else None
    for entry in policy.entries if kernel is not None and policy.style == "systemd" else ():
        if policy.stops(entry) and is_plain(entry) and kernel is not None and _lacks(kernel, fs, entry.fs_type):
            reason = f"{entry.mount_point} has the type {entry.fs_type}, which kernel {kernel.version} does not know"
            yield fault(True, reason, entry.where, entry)


def is_plain(entry: FstabEntry) -> bool:
    """Whether the kernel alone is asked for the entry's type. The root is mounted by then."""
    kind = entry.fs_type
    special = entry.is_pseudo or entry.is_swap or entry.is_network or kind.startswith("fuse") or kind in _NO_MODULE
    return not special and kind.replace("_", "").replace("-", "").isalnum() and entry.mount_point not in ("/", "/usr")


def driver_of(kind: str) -> str:
    """The module that has a filesystem type."""
    return _REGISTERS.get(kind, kind)


def _lacks(kernel: Kernel, fs: GuestFS, kind: str) -> bool:
    known = kernel.tree.types
    names = {kind, driver_of(kind)}
    if known is None or kind in known or any(kernel.has(name) is not Presence.ABSENT for name in names):
        return False
    return not any(fs.exists(store) for store in _STORES) and not any(fs.exists(f"{place}{kind}") for place in _HELPERS)
