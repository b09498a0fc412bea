"""seccomp: restricts the system calls of a process (seccomp(2)), with programs for the kernel's classic BPF machine.

A reader gets a list of allowed calls, a tool a list of denied ones. A denied call fails with EPERM. A call that is too new for the list
fails with ENOSYS, so that libraries fall back to older ones. A call of a foreign architecture kills the process.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import sys
from collections.abc import Iterable, Sequence

from v2vlint.confine import calls
from v2vlint.confine.lack import PRETENDED
from v2vlint.confine.libc import address, syscall

# AUDIT_ARCH_* (linux/audit.h): the ELF machine number, with a bit each for 64 bits and little-endian.
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3, "loongarch64": 0xC0000102}
# SECCOMP_SET_MODE_FILTER, SECCOMP_GET_ACTION_AVAIL, SECCOMP_FILTER_FLAG_TSYNC (linux/seccomp.h).
_SET_FILTER, _GET_ACTION, _ALL_THREADS = 1, 2, 1
# The number of seccomp(2) itself.
_SECCOMP = {"x86_64": 317, "generic": 277}

# BPF_LD | BPF_W | BPF_ABS, BPF_JMP with JEQ, JGT and JSET, BPF_RET (linux/bpf_common.h).
_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
# Offsets in struct seccomp_data (linux/seccomp.h).
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
# SECCOMP_RET_ALLOW, _KILL_PROCESS and _ERRNO; the lower half of the last is the error.
ALLOW, KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
DENY, ABSENT, READ_ONLY = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS, _ERRNO | errno.EACCES

# O_WRONLY, O_RDWR, O_CREAT, O_TRUNC and the bit of O_TMPFILE, the same on all of these architectures.
_OPEN_TO_WRITE = 0o3 | 0o100 | 0o1000 | 0o20000000
# TCGETS (is it a terminal?), FIONCLEX, FIOCLEX, FIONBIO, BLKGETSIZE64, BLKSSZGET.
_IOCTLS = (0x5401, 0x5450, 0x5451, 0x5421, 0x80081272, 0x1268)
# Signals triggered through a file: F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY.
_SIGNALLING = (8, 10, 15, 1024, 1026)
_AF_UNIX = 1
_CLONE_THREAD, _CLONE3 = 0x10000, 435

# struct sock_filter (linux/filter.h): code, jump if true, jump if false (both counted in instructions), operand.
Instruction = tuple[int, int, int, int]


def table() -> str:
    """The kind of table of this process's system calls: ``x86_64``, ``generic``, or empty for one that is not known here."""
    machine = os.uname().machine
    # A 32-bit Python has another table than its 64-bit kernel, and uname describes the kernel.
    if machine not in _AUDIT or sys.maxsize < 1 << 32 or sys.byteorder != "little":
        return ""
    return "x86_64" if machine == "x86_64" else "generic"


def available() -> bool:
    """Whether the kernel can filter system calls and their numbers are known here."""
    return "seccomp" not in PRETENDED and _available()


@functools.cache
def _available() -> bool:
    if not table():
        return False
    action = ctypes.create_string_buffer(struct.pack("=I", DENY & 0xFFFF0000), 4)
    try:
        syscall(_SECCOMP[table()], _GET_ACTION, 0, address(action))
    except OSError:
        return False
    return True


def reader(pid: int, *, writes: bool) -> bytes:
    """The filter for a process that reads files, computes and answers; with ``writes``, one that also writes files. ``pid`` is its own.

    Empty when filters are not available.
    """
    if not available():
        return b""
    lists = (calls.READ, calls.MEMORY, calls.SELF, *((calls.WRITE, calls.OPEN) if writes else ()))
    special = {
        "open": _refuse_bits(1, _OPEN_TO_WRITE, READ_ONLY),
        "openat": _refuse_bits(2, _OPEN_TO_WRITE, READ_ONLY),
        "fcntl": _refuse_values(1, _SIGNALLING),
        "ioctl": _allow_values(1, _IOCTLS),
        # Without a new limit, it is how glibc reads one.
        "prlimit64": _allow_null(2),
        # raise(3) and abort(3) signal the process itself with it.
        "tgkill": _allow_values(0, (pid,)),
    }
    program = _start()
    for number in _numbers(*lists):
        program += _case(number, [_ret(ALLOW)])
    for name, number in calls.numbers(f"{calls.OPEN}, {calls.CHECKED}", table() == "generic").items():
        program += _case(number, special[name])
    return _packed([*program, *_threads(), _ret(DENY)])


def _threads() -> list[Instruction]:
    """Allow starting threads, but not processes. Libraries that derive keys (Argon2) compute in threads, which inherit all limits."""
    generic = table() == "generic"
    program: list[Instruction] = []
    for number in calls.numbers(calls.CLONE, generic).values():
        program += _case(number, [_load(_ARGUMENTS), (_ANY_BIT, 0, 1, _CLONE_THREAD), _ret(ALLOW), _ret(DENY)])
    # A filter cannot read clone3's flags, which are in memory. ENOSYS makes glibc fall back to clone.
    return [*_case(_CLONE3, [_ret(ABSENT)]), *program]


def tool(*, serves: bool = False) -> bytes:
    """The filter for an external program: no new processes (only threads), no sockets, no access to other processes or the kernel.

    With ``serves``, it may create Unix stream sockets and accept connections, but not connect. Empty when filters are not available.
    """
    if not available():
        return b""
    generic = table() == "generic"
    program = _start()
    # Before PROCESSES, which denies clone3 with EPERM: glibc falls back to clone at ENOSYS only.
    program += _threads()
    for number in calls.numbers(calls.PROCESSES, generic).values():
        program += _case(number, [_ret(DENY)])
    for number in _numbers(calls.OTHERS, calls.SOCKETS, calls.KERNEL, *(() if serves else (calls.SERVING,))):
        program += _case(number, [_ret(DENY)])
    for number in _numbers(calls.SOCKET):
        program += _case(number, _stream_sockets() if serves else [_ret(DENY)])
    return _packed([*program, _ret(ALLOW)])


def _stream_sockets() -> list[Instruction]:
    """AF_UNIX and SOCK_STREAM, with any flags: 1 is the only type without a bit of 14."""
    return [_low(0), (_EQUAL, 1, 0, _AF_UNIX), _ret(DENY), _low(1), (_ANY_BIT, 0, 1, 14), _ret(DENY), _ret(ALLOW)]


def install(program: bytes) -> None:
    """Filter this process's system calls from now on, permanently. Needs no-new-privileges."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    # Threads that a library started while it was imported are bound as well.
    syscall(_SECCOMP[table()], _SET_FILTER, _ALL_THREADS, address(ctypes.create_string_buffer(header, len(header))))


def _numbers(*lists: str) -> list[int]:
    return [number for names in lists for number in calls.numbers(names, table() == "generic").values()]


def _start() -> list[Instruction]:
    """Check that the architecture is this one; x32 calls and unknown calls do not exist."""
    return [
        _load(_ARCHITECTURE), (_EQUAL, 1, 0, _AUDIT[os.uname().machine]), _ret(KILL),
        # x32 calls have bit 30 set, so they are above as well.
        _load(_NUMBER), (_ABOVE, 0, 1, calls.NEWEST), _ret(ABSENT),
    ]  # fmt: skip


def _case(number: int, block: Sequence[Instruction]) -> list[Instruction]:
    """For one system call, run ``block``, which must return on every path."""
    return [(_EQUAL, 0, len(block), number), *block]


def _load(offset: int) -> Instruction:
    return (_LOAD, 0, 0, offset)


def _ret(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)


def _low(argument: int) -> Instruction:
    """Load the lower half of an argument, which is all of an int that the kernel looks at."""
    return _load(_ARGUMENTS + 8 * argument)


def _refuse_bits(argument: int, bits: int, action: int) -> list[Instruction]:
    return [_low(argument), (_ANY_BIT, 0, 1, bits), _ret(action), _ret(ALLOW)]


def _refuse_values(argument: int, values: Iterable[int]) -> list[Instruction]:
    tests = [step for value in values for step in ((_EQUAL, 0, 1, value), _ret(DENY))]
    return [_low(argument), *tests, _ret(ALLOW)]


def _allow_values(argument: int, values: Iterable[int]) -> list[Instruction]:
    tests = [step for value in values for step in ((_EQUAL, 0, 1, value), _ret(ALLOW))]
    return [_low(argument), *tests, _ret(DENY)]


def _allow_null(argument: int) -> list[Instruction]:
    upper = _load(_ARGUMENTS + 8 * argument + 4)
    return [_low(argument), (_EQUAL, 0, 2, 0), upper, (_EQUAL, 1, 0, 0), _ret(DENY), _ret(ALLOW)]


def _packed(program: Iterable[Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
