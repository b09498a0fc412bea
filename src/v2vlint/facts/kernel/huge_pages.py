"""Memory set aside as huge pages, by sysctl(8) (sysctl.d(5)) or on the kernel command line (hugetlbpage.rst)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.layers import layered
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Span, Where

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
_PAGES = re.compile(r"\s*-?\s*vm[./]nr_hugepages(?:_mempolicy)?\s*=\s*(\d{1,12})\s*")
_SIZE = re.compile(r"(\d{1,6})([KMG])", re.IGNORECASE)
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
DEFAULT = 2 << 20


@dataclass(frozen=True, slots=True)
class HugePageReserve:
    """``pages`` of ``page_size`` bytes, reserved at ``where``."""

    pages: int
    page_size: int
    where: Where

    @property
    def mib(self) -> int:
        """The memory reserved, in MiB."""
        return self.pages * self.page_size >> 20


@dataclass(frozen=True, slots=True)
class HugePages:
    """``reserves`` of different page sizes add up; of one size the last one counts, and sysctl comes after the command line."""

    reserves: tuple[HugePageReserve, ...] = ()

    @property
    def mib(self) -> int:
        """All memory set aside, in MiB."""
        return sum(reserve.mib for reserve in self.reserves)


@provides
def find_huge_pages(fs: GuestFS, choices: BootChoices) -> HugePages:
    """What the default entry and the sysctl files reserve."""
    default_size, reserves = _command_line(choices.default)
    found = {reserve.page_size: reserve for reserve in reserves}
    for pages, where in _sysctl(fs):
        found[default_size] = HugePageReserve(pages, default_size, where)
    return HugePages(tuple(reserve for reserve in found.values() if reserve.pages))


def _command_line(choice: BootChoice | None) -> tuple[int, Iterable[HugePageReserve]]:
    default, size = DEFAULT, 0
    reserves: list[HugePageReserve] = []
    for arg in choice.args if choice else ():
        value = arg.value or ""
        if arg.name == "default_hugepagesz":
            default = _bytes(value) or default
        elif arg.name == "hugepagesz":
            size = _bytes(value)
        elif arg.name == "hugepages" and value.isdecimal() and len(value) <= 12:
            reserves.append(HugePageReserve(int(value), size or default, arg.where))
    return default, reserves


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2].upper()] if match else 0


def _sysctl(fs: GuestFS) -> Iterator[tuple[int, Span]]:
    paths = [*layered(fs, FOLDERS, ".conf"), "/etc/sysctl.conf"]
    seen: set[str] = set()
    for path in paths:
        real = fs.resolve(path)
        text = fs.text(path) if real and real not in seen else None
        seen.add(real or path)
        for line in text.lines() if text else ():
            match = None if line.is_blank("#;") else _PAGES.fullmatch(line.text)
            if match:
                yield int(match[1]), line.where
