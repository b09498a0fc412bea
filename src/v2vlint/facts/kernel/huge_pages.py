"""Memory reserved for huge pages by sysctl(8) (sysctl.d(5)) or on the kernel command line (hugetlbpage.rst)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.kernel.sysctl import Sysctl
from v2vlint.facts.registry import provides
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Where

_KEYS = ("vm/nr_hugepages", "vm/nr_hugepages_mempolicy")
_NUMBER = re.compile(r"\d{1,12}")
_SIZE = re.compile(r"(\d{1,6})([KMG])", re.IGNORECASE)
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
DEFAULT = 2 << 20  # on x86-64


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
    """``reserves`` of different page sizes add up; of the same size the last one counts, and sysctl follows the command line."""

    reserves: tuple[HugePageReserve, ...] = ()

    @property
    def mib(self) -> int:
        """All reserved memory, in MiB."""
        return sum(reserve.mib for reserve in self.reserves)


@provides
def find_huge_pages(sysctl: Sysctl, choices: BootChoices) -> HugePages:
    """What the default entry and the sysctl files reserve."""
    default_size, reserves = _command_line(choices.default)
    found = {reserve.page_size: reserve for reserve in reserves}
    for pages, where in _set(sysctl):
        # vm.nr_hugepages counts pages of the default size.
        found[default_size] = HugePageReserve(pages, default_size, where)
    return HugePages(tuple(reserve for reserve in found.values() if reserve.pages))


def _command_line(choice: BootChoice | None) -> tuple[int, Iterable[HugePageReserve]]:
    default, size = DEFAULT, 0
    reserves: list[HugePageReserve] = []
    for arg in choice.kernel_args if choice else ():
        value = arg.value or ""
        if arg.name == "default_hugepagesz":
            default = _bytes(value) or default
        elif arg.name == "hugepagesz":
            # hugepages= refers to the hugepagesz= before it (hugetlbpage.rst).
            size = _bytes(value)
        elif arg.name == "hugepages" and value.isdecimal() and len(value) <= 12:
            reserves.append(HugePageReserve(int(value), size or default, arg.where))
    return default, reserves


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2].upper()] if match else 0


def _set(sysctl: Sysctl) -> Iterator[tuple[int, Span]]:
    for setting in sysctl.settings:
        if setting.key in _KEYS and setting.value is not None and _NUMBER.fullmatch(setting.value):
            yield int(setting.value), setting.where
