"""Whether a hypervisor has an image open for writing, according to the usual locks."""

from __future__ import annotations

import fcntl
import os
import struct

from v2vlint.disk.stream import HostFile

_FLOCK = "hhqqi4x"
_QEMU_WRITE = (101, 103)


def user_of(file: HostFile) -> str:
    """Who has ``file`` open for writing, or an empty string. QEMU locks byte 101 (permission to write) and 103 (to resize)."""
    if file.user:
        return file.user
    for byte in _QEMU_WRITE:
        request = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        try:
            answer = fcntl.fcntl(file.fileno(), fcntl.F_OFD_GETLK, request)
        except OSError:
            # Not every filesystem has such locks.
            break
        if struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK:
            return "QEMU has it open for writing"
    if file.path.endswith(".vmdk") and os.path.isdir(f"{file.path}.lck"):  # noqa: PTH112
        return "VMware has locked it"
    return ""
