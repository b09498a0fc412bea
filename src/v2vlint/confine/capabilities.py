"""Capabilities: root without its powers (capabilities(7))."""

from __future__ import annotations

import contextlib
import ctypes
import struct

from v2vlint.confine.libc import PR_CAP_AMBIENT, PR_CAPBSET_DROP, address, prctl, syscall

_NUMBERS = {"x86_64": (125, 126), "generic": (90, 91)}
_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_CLEAR_ALL = 4
_LAST = 63

READING = 1 << _DAC_READ_SEARCH
"""Reading files of other users, as images in /var/lib/libvirt are to root."""
WRITING = READING | 1 << _DAC_OVERRIDE


def keep(kept: int) -> None:
    """Drop all capabilities but those in ``kept`` (a bit mask) that this process has. An execve does not restore them."""
    from v2vlint.confine.seccomp import table

    numbers = _NUMBERS.get(table())
    if numbers is None:
        return
    # The bounding set first: CAP_SETPCAP, which this needs, goes with the others below. An error means that the kernel has no more
    # capabilities, or that this process may drop none.
    with contextlib.suppress(OSError):
        for capability in range(_LAST + 1):
            if not kept >> capability & 1:
                prctl(PR_CAPBSET_DROP, capability)
    with contextlib.suppress(OSError):
        prctl(PR_CAP_AMBIENT, _CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    syscall(numbers[0], address(header), address(data))
    # Two of struct __user_cap_data_struct (linux/capability.h): effective, permitted, inheritable, first for capabilities 0 to 31.
    permitted = struct.unpack("=6I", data.raw)
    low, high = permitted[1] & kept & 0xFFFFFFFF, permitted[4] & kept >> 32
    wanted = ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, high, high, 0), 24)
    syscall(numbers[1], address(header), address(wanted))
