"""Which program is process 1: the one that ``init=`` or ``/sbin/init`` leads to, not just any that is installed.

The kernel tries ``/sbin/init``, ``/etc/init``, ``/bin/init`` in this order (init/main.c), as do initramfs-tools and dracut. ``init=`` on
the command line takes precedence.
"""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.facts.boot.bootloader import default_entries
from v2vlint.facts.boot.cmdline import last_arg
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

INITTAB = "/etc/inittab"
_CANDIDATES = ("/sbin/init", "/usr/sbin/init", "/etc/init", "/bin/init")
_BY_NAME = {
    "systemd": "systemd", "openrc-init": "openrc", "runit-init": "runit", "runit": "runit", "dinit": "dinit", "shepherd": "shepherd",
    "s6-linux-init": "s6", "s6-svscan": "s6", "upstart": "upstart", "finit": "finit",
}  # fmt: skip
_BY_CONTENT = (
    (b"libupstart", "upstart"),
    (b"upstart", "upstart"),
    (b"s6-linux-init", "s6"),
    (b"dinit", "dinit"),
    (b"/etc/inittab", "sysv"),
)
_INSTALLED = (
    ("systemd", ("/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/bin/systemd")),
    ("openrc", ("/sbin/openrc-init", "/sbin/openrc", "/usr/sbin/openrc")),
    ("upstart", ("/sbin/initctl", "/etc/init/rc.conf")),
    ("sysv", ("/sbin/init", "/usr/sbin/init", INITTAB)),
)
_MAX_PROGRAM = 4 << 20


@dataclass(frozen=True, slots=True)
class Init:
    """``name`` is systemd, upstart, sysv, openrc, runit, s6, dinit, busybox, finit or shepherd; empty when it is unknown.

    ``path`` is the program as it is called, empty when the name follows from the installed files only.
    """

    name: str = ""
    path: str = ""


@provides
def find_init(fs: GuestFS, store: FactStore) -> Init:
    """The program on the default entry's command line, else the first candidate that exists, else what is installed."""
    asked = (arg.value for entry in default_entries(store) if (arg := last_arg(entry.early_args, "init")) and arg.value)
    for path in dict.fromkeys((*asked, *_CANDIDATES)):
        if fs.is_file(path) and (name := _kind(fs, path)):
            return Init(name, path)
    return Init(next((name for name, paths in _INSTALLED if any(fs.exists(path) or fs.readlink(path) for path in paths)), ""))


def _kind(fs: GuestFS, path: str) -> str:
    """The kind of program at ``path``; empty when neither its name nor its content tells."""
    program = (fs.resolve(path) or path).rpartition("/")[2]
    if program.startswith("busybox"):
        return "openrc" if _calls_openrc(fs) else "busybox"
    found = _BY_NAME.get(program) or _by_content(fs, path)
    return "openrc" if found == "sysv" and _calls_openrc(fs) else found


def _by_content(fs: GuestFS, path: str) -> str:
    data = fs.head(path, _MAX_PROGRAM) or b""
    if data.startswith(b"#!"):
        return next((name for word, name in _called() if word in data), "")
    return next((name for mark, name in _BY_CONTENT if mark in data), "")


def _called() -> Iterable[tuple[bytes, str]]:
    """The program that an init script may start: the first stage of NixOS ends in systemd, s6-linux-init's is a script as a whole."""
    return ((b"systemd/systemd", "systemd"), (b"s6-", "s6"), (b"runit", "runit"), (b"openrc", "openrc"))


def _calls_openrc(fs: GuestFS) -> bool:
    text = fs.text(INITTAB)
    return text is not None and any("openrc" in line.text or "/sbin/rc " in line.text for line in text.lines() if not line.is_blank())
