"""Places of facts and findings: a span of a guest text file, a whole file, a registry key, or a device."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters ``start``..``end`` of one guest text file; ``line`` and ``column`` are 1-based and belong to ``start``."""

    path: str
    start: int
    end: int
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class WholeFile:
    """A file as a whole: a binary file, an absent file, or a directory."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """A block device of the guest (``disk1``, ``disk1p2``, ``vg/root``), optionally with the part meant, such as ``partition table``."""

    name: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.part}".rstrip()


@dataclass(frozen=True, slots=True, order=True)
class RegistryKey:
    """A key of the registry hive in the file ``path``, or the value called ``value`` in it when that is not empty."""

    path: str
    key: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.key}:{self.value}".removesuffix(":")


Where = Span | WholeFile | Device | RegistryKey


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """A piece of text of a guest file, with its span."""

    value: str
    where: Span

    def __str__(self) -> str:
        return self.value
