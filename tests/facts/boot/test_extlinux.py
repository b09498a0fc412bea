"""SYSLINUX and EXTLINUX."""

from __future__ import annotations

import pytest

from v2vlint.facts.boot.extlinux import extlinux_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.model.blocks import BlockTable
from v2vlint.samples.memory import memory_guest

ALPINE = """DEFAULT menu.c32
APPEND quiet
LABEL virt
  MENU DEFAULT
  MENU LABEL Linux ^virt
  LINUX vmlinuz-virt
  INITRD ucode.img,initramfs-virt
  APPEND root=UUID=1 modules=ext4
LABEL old
  KERNEL /boot/vmlinuz-5.10.0-9 initrd=x
LABEL hdt
  COM32 hdt.c32
LABEL mem
  KERNEL memtest.c32
"""


def test_extlinux() -> None:
    found = extlinux_menu(GrubFiles(memory_guest({"/boot/extlinux.conf": ALPINE}), BlockTable()), "/boot/extlinux.conf")
    assert found is not None
    virt, old, hdt, memory = found.entries
    assert (virt.title, virt.kernel, virt.initrds) == ("Linux virt", "/boot/vmlinuz-virt", ("/boot/ucode.img", "/boot/initramfs-virt"))
    assert [str(arg) for arg in virt.args] == ["root=UUID=1", "modules=ext4"]
    assert (old.kernel, old.version, [str(arg) for arg in old.args]) == ("/boot/vmlinuz-5.10.0-9", "5.10.0-9", ["quiet"])
    assert (hdt.kernel, memory.kernel) == ("", "")
    assert found.default is virt


@pytest.mark.parametrize(
    ("head", "name", "reason"),
    [
        ("DEFAULT b\n", "b", "DEFAULT b"),
        ("default b\nONTIMEOUT a\n", "a", "ONTIMEOUT a"),
        ("", "a", "the first label"),
        ("DEFAULT vesamenu.c32\n", "a", "the first label"),
        ("DEFAULT gone\n", None, "DEFAULT gone names no label"),
        ("INCLUDE more.cfg\nMENU INCLUDE /boot/more.cfg\nINCLUDE\nINCLUDE gone\n", "c", "DEFAULT c"),
    ],
)
def test_the_default_of_extlinux(head: str, name: str | None, reason: str) -> None:
    labels = "LABEL a\n LINUX k\n APPEND -\nLABEL b\n LINUX k\n APPEND initrd=/i root=/dev/sda1\nLABEL c\n LINUX k\n MENU HIDE\n menu\n"
    files = {"/boot/extlinux/extlinux.conf": head + labels, "/boot/extlinux/more.cfg": "DEFAULT c\n", "/boot/more.cfg": "# nothing\n"}
    found = extlinux_menu(GrubFiles(memory_guest(files), BlockTable()), "/boot/extlinux/extlinux.conf")
    assert found is not None
    assert (found.default.id if found.default else None, found.default_reason) == (name, reason)
    assert found.entries[1].initrds == ("/i",)
    assert found.entries[1].initrd_at[0].value == "/i"


LABELS = "LABEL a\nLINUX ka\nLABEL b\nMENU DEFAULT\nLINUX kb\n"


@pytest.mark.parametrize(
    ("head", "kernel"),
    [
        ("DEFAULT a\n", "ka"),
        ("DEFAULT a # x\n", "ka"),
        ("DEFAULT b\nDEFAULT a\n", "ka"),
        ("DEFAULT A\n", "A"),
        ("DEFAULT kz root=Z\n", "kz"),
        ("INCLUDE /gone.cfg\nDEFAULT a\n", "ka"),
        ("DEFAULT a\nTIMEOUT 5\nONTIMEOUT b\nPROMPT 1\n", "kb"),
        ("DEFAULT a\nTIMEOUT 5\nONTIMEOUT b\nPROMPT 0\n", "ka"),
        ("DEFAULT x\nONERROR b\n", "kb"),
        ("DEFAULT there\nONERROR b\n", "there"),
        ("DEFAULT chain\n", None),
        ("UI menu.c32\nTIMEOUT 5\nDEFAULT a\n", "ka"),
        ("UI menu.c32\nTIMEOUT 5\n", "kb"),
        ("DEFAULT menu.c32\nTIMEOUT 5\n", "kb"),
        ("UI menu.c32\nTIMEOUT 5\nDEFAULT a\nONTIMEOUT b\n", "kb"),
        ("", "stops"),
        ("PROMPT 1\n", "stops"),
        ("DEFAULT a\nPROMPT 1\n", "stops"),
        ("DEFAULT a\nPROMPT 1\nONTIMEOUT b\n", "stops"),
        ("DEFAULT a\nPROMPT 1\nTOTALTIMEOUT 90\n", "ka"),
        ("DEFAULT a\nPROMPT 1\nTIMEOUT 20\nONTIMEOUT kz x=1\n", "kz"),
        ("DEFAULT a\nPROMPT 1\nTIMEOUT 20\nONTIMEOUT a\nONTIMEOUT b\n", "kb"),
        ("DEFAULT kz\nIMPLICIT 0\n", "stops"),
        ("DEFAULT a\tsingle\n", "ka"),
        ("DEFAULT c\nLABEL c d\nLINUX kc\n", "kc"),
        ("DEFAULT menu.c32 extra.cfg\n", "kb"),
    ],
)
def test_what_syslinux_starts(head: str, kernel: str | None) -> None:
    """As SYSLINUX 6.04 says in SeaBIOS which file it loads, or that there is "no DEFAULT or UI"."""
    guest = memory_guest({"/extlinux.conf": head + LABELS, "/there": b"k", "/chain.c32": b"c"})
    found = extlinux_menu(GrubFiles(guest, BlockTable()), "/extlinux.conf", sure=True)
    assert found is not None
    told = found.default.kernel.removeprefix("/") if found.default else "stops" if found.stops else None
    assert told == kernel
    assert found.default is None or found.default in found.entries


def test_a_kernel_as_the_default_of_syslinux() -> None:
    guest = memory_guest({"/extlinux.conf": "APPEND quiet\nDEFAULT kz root=Z\n" + LABELS})
    found = extlinux_menu(GrubFiles(guest, BlockTable()), "/extlinux.conf", sure=True)
    assert found is not None
    assert found.default is not None
    assert [str(arg) for arg in found.default.args] == ["quiet", "root=Z"]


def test_an_absent_or_empty_extlinux() -> None:
    assert extlinux_menu(GrubFiles(memory_guest({}), BlockTable()), "/extlinux.conf") is None
    found = extlinux_menu(GrubFiles(memory_guest({"/extlinux.conf": "\n"}), BlockTable()), "/extlinux.conf")
    assert found is not None
    assert (found.default, found.default_reason) == (None, "/extlinux.conf has no labels")
