"""The few calls to the C library that Python does not offer."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: int | ctypes.c_void_p | None) -> int:
    """A raw system call. OSError when it fails."""
    wide = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(number), *wide))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def prctl(option: int, value: int, third: int = 0) -> None:
    """prctl(2). OSError when it fails."""
    if _LIBC.prctl(ctypes.c_int(option), *(ctypes.c_ulong(one) for one in (value, third, 0, 0))) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def address(buffer: ctypes.Array[ctypes.c_char]) -> ctypes.c_void_p:
    """The address of ``buffer``."""
    return ctypes.cast(buffer, ctypes.c_void_p)
