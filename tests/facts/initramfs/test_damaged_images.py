"""Files that cannot be read to the end: the reader's errors become an outcome with the path."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

import pytest

from tests.facts.boot.pe_samples import UKI, pe_image
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.systemd_boot import systemd_boot_menu
from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.driver_file import driver_problem
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.memory import MemoryFileSystem, MemoryNode

PATH = "/efi/EFI/Linux/a.efi"


class _Torn(io.BytesIO):
    """A stream whose end lies in damaged blocks."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() > 0x400:
            raise OSError("bad block")
        return data


@dataclass
class _TornNode(MemoryNode):
    def open(self) -> BinaryIO:
        assert isinstance(self.content, bytes)
        return _Torn(self.content)


def _guest(data: bytes) -> GuestFS:
    system = MemoryFileSystem({PATH: b""})
    folder = system.root.child("efi")
    for name in ("EFI", "Linux"):
        folder = folder.child(name) if folder else None
    assert folder is not None
    assert isinstance(folder.content, dict)
    folder.content["a.efi"] = _TornNode(data)
    return GuestFS({"/": system})


def test_a_torn_section_is_unknowable() -> None:
    with pytest.raises(FactUnavailable, match=r"a\.efi: cannot be read: bad block"):
        systemd_boot_menu(_guest(pe_image(UKI)), "/efi")


def test_a_torn_header_is_unknowable() -> None:
    data = bytearray(b"MZ".ljust(0x500, b"\0"))
    data[60:64] = (0x3FE).to_bytes(4, "little")
    with pytest.raises(FactUnavailable, match="cannot be read: bad block"):
        systemd_boot_menu(_guest(bytes(data)), "/efi")
    facts = FactStore((_guest(bytes(data)), BlockTable(), OsInfo("linux", "arch", "arch", "Arch")))
    with pytest.raises(FactUnavailable, match="cannot be read: bad block"):
        facts.get(Efi)
    with pytest.raises(FactUnavailable, match="cannot be read: bad block"):
        facts.get(Bootloader)


def test_an_open_file_is_torn_for_whoever_reads_it() -> None:
    """Also one that is opened by a fact of its own, and read without a thought of damage."""
    guest = _guest(b"MZ".ljust(0x3C, b"\0") + (0x3F0).to_bytes(4, "little") + bytes(0x500))
    with pytest.raises(FactUnavailable, match=r"a\.efi: cannot be read: bad block"):
        driver_problem(guest, PATH, "x86_64")
    stream = guest.open(PATH)
    assert stream is not None
    with pytest.raises(FactUnavailable, match=r"a\.efi: cannot be read: bad block"):
        io.BufferedReader(stream).read()  # type: ignore[type-var]
