"""Generations of boot programs, by which shim refuses outdated ones (shim's ``SBAT.md``): the section ``.sbat``, and revocation levels.

The level in effect is a variable of the firmware. A new machine has none; shim then writes the one from its own section ``.sbatlevel``, and
applies it to what it loads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from v2vlint.disk.fields import Fields
from v2vlint.facts.boot.pe import PeImage, PeSection, read_section
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal

MAX_LINES = 200
PUBLISHED: Mapping[str, int] = {"shim": 4, "grub": 5, "grub.proxmox": 2}
"""The newest level in shim's ``SbatLevel_Variable.txt``, 2025051000."""
_LEVELS = Fields("<", automatic=(4, "I"))  # sbat_var.S of shim: a version, then two offsets (automatic, latest)
_PAYLOAD = 4  # the end of the version, from which the offsets count


@dataclass(frozen=True, slots=True)
class Revoked:
    """The ``component`` of a program has ``generation``, and ``needed`` is the lowest accepted one."""

    component: str
    generation: int
    needed: int

    def __str__(self) -> str:
        return f"{self.component} has generation {self.generation}, and {self.needed} is the least accepted"


def generations(stream: BinaryIO, image: PeImage) -> Mapping[str, int] | None:
    """The components of a program with their generations; None when it has no such section."""
    section = image.section(".sbat")
    return None if section is None else dict(_lines(read_section(stream, section)))


def automatic_level(stream: BinaryIO, image: PeImage) -> Mapping[str, int]:
    """The level that a shim writes on a machine without one; empty when it has none."""
    section = image.section(".sbatlevel")
    data = _whole(stream, section) if section else b""
    if len(data) < 12:
        return {}
    offset = _PAYLOAD + _LEVELS.read(data)["automatic"]
    return dict(_lines(data[offset:].split(b"\0", 1)[0]))


def revoked(own: Mapping[str, int], level: Mapping[str, int]) -> Revoked | None:
    """The first component that the level refuses (``verify_sbat_helper``)."""
    return next((Revoked(name, number, level[name]) for name, number in own.items() if number < level.get(name, 0)), None)


def _whole(stream: BinaryIO, section: PeSection) -> bytes:
    stream.seek(section.offset)
    return stream.read(min(section.size, 1 << 16))


def _lines(data: bytes) -> Iterator[tuple[str, int]]:
    """Component and generation; a generation that is not a number counts as 0, as in C."""
    for line in data.decode("ascii", "replace").splitlines()[:MAX_LINES]:
        words = line.strip("\0").split(",")
        if len(words) >= 2 and words[0]:
            yield words[0], decimal(words[1]) if words[1].isdecimal() else 0
