"""The way of a BIOS from the first sector to a boot loader, on disks with real boot code; QEMU's BIOS is asked, too."""

from __future__ import annotations

import re
import selectors
import subprocess
import time
from pathlib import Path

import pytest

from tests.disk.boot.disks import FIRST, MBR, MIB, SECTOR, SHAPES, Raw, code, grub2
from tests.disk.boot.ovmf import ESCAPES
from tests.disk.images import blank, need, run
from tests.disk.test_oracle import mounted
from tests.programs import running
from v2vlint.guest.open import open_ref
from v2vlint.model.boot_chain import BootChain
from v2vlint.model.source import GuestRef

SECONDS = 12
CURSOR = re.compile(rf"{ESCAPES.pattern}|\r(?!\n)")
"""What GRUB may send between two letters of its prompt."""
LOADED = {"grub2": "grub> |rescue>", "syslinux": r"EDD \d+ Copy", "grub-legacy": "GNU GRUB  version 0.97"}


def chain(path: Path) -> BootChain:
    """What a BIOS gets from the disk."""
    return open_ref(GuestRef(str(path), "disks", (str(path),))).blocks.chains[0]


@pytest.mark.parametrize("name", SHAPES)
def test_the_chain(name: str, tmp_path: Path) -> None:
    starts, code, reason, make = SHAPES[name]
    found = chain(make(tmp_path / "d.raw").path)
    assert (found.starts, reason in found.reason) == (starts, True), found
    assert code in (found.code, found.loader), found
    assert bool(found.loader) == starts


def test_windows_xp_looks_for_other_active_partitions(tmp_path: Path) -> None:
    xp = bytes.fromhex("33c08ed0bc007cfb50") + bytes(20) + bytes.fromhex("8bf583c6104974") + b"Invalid partition table"
    raw = Raw(tmp_path / "d.raw", "2048,32768,83,*", "34816,32768,83,*").write(0, xp)
    assert "several partitions are active" in chain(raw.path).reason


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_qemus_bios_agrees(name: str, tmp_path: Path) -> None:
    starts, code, _reason, make = SHAPES[name]
    awaited = LOADED.get(code, "GRUB|LINUX")
    assert bool(re.search(awaited, screen(make(tmp_path / "d.raw").path, awaited))) == starts


def screen(path: Path, awaited: str, *others: Path) -> str:
    """What a machine that starts the disk, with ``others`` behind it, shows until what is awaited comes or a few seconds are over."""
    drives = (word for disk in (path, *others) for word in ("-drive", f"file={disk},format=raw,if=ide,snapshot=on"))
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "128", "-nographic", "-net", "none", *drives]
    shown = ""
    with running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as machine:
        assert machine.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(machine.stdout, selectors.EVENT_READ)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and not re.search(awaited, shown):
                if selector.select(0.5):
                    shown = CURSOR.sub("", shown + machine.stdout.read1(4096).decode("ascii", "replace"))  # type: ignore[attr-defined]
    return shown


@pytest.mark.slow
def test_extlinux(tmp_path: Path) -> None:
    """EXTLINUX in the boot record of an ext4 filesystem, and without its ldlinux.sys."""
    need("extlinux", "mke2fs", "losetup")
    image = blank(tmp_path / "fs", 16 * MIB)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^64bit", image)
    with mounted(tmp_path, image) as point:
        (point / "boot").mkdir()
        run("extlinux", "--install", point / "boot")
    raw = Raw(tmp_path / "d.raw", *MBR).write(FIRST, image.read_bytes()).write(0, code("mbr.bin"))
    found = chain(raw.path)
    assert (found.starts, found.loader, found.config) == (True, "syslinux", "/boot"), found
    assert re.search(LOADED["syslinux"], screen(raw.path, LOADED["syslinux"]))
    data = image.read_bytes()
    first = next(
        at for at in range(0, len(data), SECTOR) if data[at + 2 : at + 10] == b"SYSLINUX" and b"\xfe\x02\xb2\x3e" in data[at : at + SECTOR]
    )
    raw.write(FIRST + first // SECTOR, bytes(SECTOR))
    assert (chain(raw.path).starts, "no ldlinux.sys" in chain(raw.path).reason) == (False, True)


def test_core_img_tells_what_it_can_read(tmp_path: Path) -> None:
    image = chain(grub2(tmp_path / "d.raw").path).image
    assert image is not None
    assert image.prefix == "(hd0,msdos1)/boot/grub"
    assert {"biosdisk", "part_msdos", "ext2", "normal"} <= image.modules


def test_a_name_alone_is_no_boot_code(tmp_path: Path) -> None:
    for text in (b"GRUB \0Geom\0Hard Disk\0Read\0 Error", b"Operating system load error.", b"BOOTMGR is missing"):
        raw = Raw(tmp_path / "d.raw", "2048,32768,83,*").write(0, b"\x33\xdb" + bytes(300) + text)
        assert (chain(raw.path).code, chain(raw.path).starts) == ("other", None)


def test_core_img_that_repairs_itself_may_start(tmp_path: Path) -> None:
    raw = grub2(tmp_path / "d.raw")
    raw.write(2, (64 * SECTOR).to_bytes(4, "little"), 0x10).write(60, bytes(SECTOR))
    found = chain(raw.path)
    assert found.starts is None
    assert "may be able to repair it" in found.reason


def test_a_sector_beyond_two_terabytes(tmp_path: Path) -> None:
    far = (5 << 40) // SECTOR
    raw = grub2(tmp_path / "d.raw")
    core = raw.read(1, 400)
    subprocess.run(["truncate", "-s", str((5 << 40) + 64 * MIB), raw.path], check=True)
    raw.write(0, far.to_bytes(8, "little"), 0x5C).write(far, core).write(1, bytes(SECTOR))
    assert chain(raw.path).starts is True
