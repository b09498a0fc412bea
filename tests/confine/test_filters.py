"""The numbers of system calls against the kernel's own headers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from v2vlint.confine import calls

_LISTS = (
    calls.READ, calls.MEMORY, calls.SELF, calls.WRITE, calls.OPEN, calls.CHECKED, calls.PROCESSES, calls.CLONE, calls.OTHERS, calls.SOCKETS,
    calls.KERNEL,
)  # fmt: skip
_X86 = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
_GENERIC = Path("/usr/include/asm-generic/unistd.h")
# The generic table has these names for the 64-bit variants.
_SAME = {"fstat": "fstat", "newfstatat": "fstatat"}


def _headers(path: Path) -> dict[str, int]:
    if not path.is_file():
        pytest.skip(f"{path} is not installed (linux-libc-dev)")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())
    return {name: int(number) for name, number in reversed(found)}


@pytest.mark.parametrize(("path", "generic"), [(_X86, False), (_GENERIC, True)])
def test_every_number_is_the_kernels(path: Path, generic: bool) -> None:
    known = _headers(path)
    for names in _LISTS:
        for name, number in calls.numbers(names, generic).items():
            assert known[_SAME.get(name, name) if generic else name] == number, name
        absent = {entry.split()[0] for entry in names.split(",") if entry.strip()} - set(calls.numbers(names, generic))
        assert not {name for name in absent if name in known and not (generic and name in ("stat", "lstat"))}


def test_nothing_is_both_allowed_to_a_reader_and_denied_to_a_tool() -> None:
    allowed = {name for names in _LISTS[:6] for name in calls.numbers(names, generic=False)}
    denied = {name for names in _LISTS[6:] for name in calls.numbers(names, generic=False)}
    assert not allowed & denied
