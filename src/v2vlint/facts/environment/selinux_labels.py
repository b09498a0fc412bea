"""The SELinux labels of files that a boot and a login need, and the labels that the policy defines for them."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.disk.filesystems.node import Kind
from v2vlint.facts.environment.accounts import Accounts
from v2vlint.facts.environment.file_contexts import FileContexts, type_of
from v2vlint.facts.environment.selinux import Selinux
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import Unsupported
from v2vlint.model.place import WholeFile

ATTRIBUTE = "security.selinux"
MAX_FILES = 500
MAX_HOMES = 50
_FOLDERS = ("/", "/boot", "/etc", "/home", "/root", "/usr", "/var", "/var/lib", "/var/log")
_PROGRAMS = (
    "/sbin/init", "/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd-logind", "/usr/lib/systemd/systemd-journald",
    "/usr/lib/systemd/systemd-udevd", "/sbin/agetty", "/bin/login", "/bin/sh", "/bin/bash", "/usr/sbin/sshd", "/usr/sbin/NetworkManager",
    "/usr/bin/dbus-daemon", "/usr/bin/dbus-broker", "/sbin/unix_chkpwd", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
)  # fmt: skip
_FILES = (
    "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/fstab", "/etc/crypttab", "/etc/hostname", "/etc/nsswitch.conf",
    "/etc/ld.so.cache", "/etc/selinux/config", "/etc/pam.d/*", "/etc/ssh/*", "/etc/default/grub", "/etc/sysconfig/network-scripts/ifcfg-*",
    "/etc/NetworkManager/system-connections/*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileLabel:
    """A file at its real path. ``type`` is that of its label, empty without one; ``wanted`` is the policy's, empty when it has none or
    relabelling leaves such a label alone.
    """

    where: WholeFile
    type: str
    wanted: str


@dataclass(frozen=True, slots=True)
class SelinuxLabels:
    """``files`` are those examined; empty, with a ``reason``, unless SELinux enforces an installed policy. ``unclear`` are those for which
    the policy has an unsupported expression. ``can_relabel``: the guest has a program that acts on /.autorelabel.
    """

    files: tuple[FileLabel, ...] = ()
    unclear: tuple[WholeFile, ...] = ()
    reason: str = ""
    can_relabel: bool = False


@provides
def read_selinux_labels(fs: GuestFS, selinux: Selinux, contexts: FileContexts, accounts: Accounts, fstab: Fstab) -> SelinuxLabels:
    """Examine each file. FactUnavailable when the attributes of a filesystem cannot be read."""
    if selinux.mode != "enforcing":
        return SelinuxLabels(reason=f"SELinux is {selinux.mode or 'not configured'}")
    if not contexts.path or selinux.config.policy not in selinux.config.policies:
        return SelinuxLabels(reason="no policy is installed")
    # context= gives every file of a mount the same label, whatever its attribute says.
    overridden = tuple(entry.mount_point for entry in fstab.entries if any(option.startswith("context=") for option in entry.options))
    files, unclear = [], []
    for path in dict.fromkeys(_real(fs, accounts)):
        if fs.mount_of(path) in overridden:
            continue
        try:
            files.append(_label(fs, contexts, path))
        except Unsupported:
            unclear.append(WholeFile(path))
    return SelinuxLabels(tuple(files), tuple(unclear), "", any(fs.exists(path) for path in ("/sbin/fixfiles", "/usr/sbin/fixfiles")))


def _real(fs: GuestFS, accounts: Accounts) -> Iterator[str]:
    homes = [f"{user.home.rstrip('/')}/.ssh" for user in accounts.users if user.home.startswith("/") and user.home != "/"][:MAX_HOMES]
    keys = [path for home in dict.fromkeys(homes) for path in (home, f"{home}/authorized_keys")]
    named = [*_FOLDERS, *_PROGRAMS, *_FILES, *keys]
    found = [path for name in named for path in (fs.glob(name) if "*" in name else (name,))]
    for path in found[:MAX_FILES]:
        real, status = fs.resolve(path), fs.stat(path)
        if real is not None and status is not None and status.kind in (Kind.FILE, Kind.DIR):
            yield real


def _label(fs: GuestFS, contexts: FileContexts, path: str) -> FileLabel:
    status = fs.stat(path)
    label = (fs.attributes(path) or {}).get(ATTRIBUTE, b"").rstrip(b"\0").decode("ascii", "replace")
    wanted = contexts.label(path, status.kind if status else Kind.FILE)
    found = type_of(label)
    return FileLabel(WholeFile(path), found, "" if found in contexts.customizable else type_of(wanted))
