"""Landlock: restricts the files that a process may open (landlock(7), Documentation/userspace-api/landlock.rst)."""

from __future__ import annotations

import ctypes
import functools
import os
import stat
import struct
from collections.abc import Iterable

from v2vlint.confine.grant import Grant
from v2vlint.confine.lack import PRETENDED
from v2vlint.confine.libc import address, syscall

# The same numbers on every architecture but Alpha.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
# The rights on files of version 1; each later version that added one is in _SINCE.
_FIRST = (1 << 13) - 1
_SINCE = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_READ = READ_FILE | READ_DIR
# Create and remove regular files and folders; no links, sockets, pipes or devices.
_WRITE = _READ | WRITE_FILE | TRUNCATE | REFER | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | IOCTL_DEV
# Create sockets, and remove one that is in the way.
_SOCKETS = READ_DIR | 1 << 5 | 1 << 9
# QEMU opens it for writing to find out which locks the kernel has.
_SINK = "/dev/null"
# LANDLOCK_ACCESS_NET_BIND_TCP and _CONNECT_TCP (version 4).
_TCP = 3
# LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and _SIGNAL (version 6).
_SCOPES = 3


def version() -> int:
    """The version of the kernel's interface; 0 when Landlock is missing or disabled."""
    return 0 if "landlock" in PRETENDED else _version()


@functools.cache
def _version() -> int:
    try:
        return syscall(_CREATE, None, 0, _VERSION)
    except OSError:
        return 0


def _handled() -> int:
    rights = _FIRST
    for since, right in _SINCE.items():
        rights |= right if version() >= since else 0
    return rights


def ruleset(grant: Grant, system: Iterable[str] = (), execute: Iterable[str] = ()) -> int | None:
    """The descriptor of a ruleset for :func:`enforce`; None without Landlock.

    Denied is everything but reading ``grant.read`` and ``system``, reading and writing ``grant.write``, executing ``execute``, and sockets
    in ``grant.sockets``; also, if the kernel supports it, TCP, abstract sockets, and signals to processes outside.
    """
    if not version():
        return None
    handled = _handled()
    # struct landlock_ruleset_attr has grown; an older kernel refuses fields that it does not know (E2BIG).
    attributes = struct.pack("QQQ", handled, _TCP, _SCOPES)[: 24 if version() >= 6 else 16 if version() >= 4 else 8]
    rules = syscall(_CREATE, address(ctypes.create_string_buffer(attributes, len(attributes))), len(attributes), 0)
    os.set_inheritable(rules, False)
    granted = (
        ((*system, *grant.read), _READ),
        ((_SINK, *grant.write), _WRITE),
        (execute, _READ | EXECUTE),
        (grant.sockets, _SOCKETS),
    )
    for paths, rights in granted:
        for path in dict.fromkeys(paths):
            _allow(rules, path, rights & handled)
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    """Add a path; a path that does not exist or cannot be reached needs no rule."""
    try:
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        # The kernel refuses a rule that grants rights of folders on a file (EINVAL).
        if not stat.S_ISDIR(os.fstat(found).st_mode):
            rights &= _OF_FILES
        # struct landlock_path_beneath_attr is packed.
        rule = struct.pack("=Qi", rights, found)
        syscall(_ADD, rules, _PATH_BENEATH, address(ctypes.create_string_buffer(rule, len(rule))), 0)
    finally:
        os.close(found)


def enforce(rules: int) -> None:
    """Restrict this process and what it starts to a ruleset, for good. Needs no-new-privileges."""
    syscall(_RESTRICT, rules, 0)
