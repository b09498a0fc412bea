"""What the child finds out about a guest: its kernel, fonts, firmware, MAC address; from small real filesystems."""

from __future__ import annotations

import gzip
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from v2vlint import target
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import Unsupported
from v2vlint.model.source import GuestRef
from v2vlint.proving.font import vga_font
from v2vlint.proving.prepare import prepare
from v2vlint.proving.protocol import CopiedKernel, PreparedBoot, ProveAsk, is_valid
from v2vlint.proving.run import DirectKernel

UUID = "0a1b2c3d-0000-4000-8000-000000000001"
GRUB_CFG = f"""
menuentry 'Debian' {{
    search --no-floppy --fs-uuid --set=root {UUID}
    linux /boot/vmlinuz-6.1.0-13-amd64 root=UUID={UUID} ro quiet splash opt="two words" console=tty0
    initrd /boot/intel-ucode.img /boot/initrd.img-6.1.0-13-amd64
}}
"""
DEBIAN = {
    "/etc/os-release": b'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n',
    "/etc/fstab": f"UUID={UUID} / ext4 defaults 0 1\n".encode(),
    "/boot/grub/grub.cfg": GRUB_CFG.encode(),
    "/boot/grub/i386-pc/normal.mod": b"",
    "/boot/vmlinuz-6.1.0-13-amd64": b"the kernel",
    "/boot/initrd.img-6.1.0-13-amd64": b"the initramfs",
    "/boot/intel-ucode.img": b"microcode",
    "/usr/bin/.keep": b"",
    "/bin/.keep": b"",
}


def image(folder: Path, files: dict[str, bytes]) -> GuestRef:
    """A filesystem with the files, as a disk of one guest."""
    tree, path = folder / "tree", folder / "disk.raw"
    for name, content in files.items():
        place = tree / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-U", UUID, "-d", str(tree), str(path), "8M"], check=True)
    return GuestRef("disk.raw", "disks", (str(path),))


def prepared(folder: Path, files: dict[str, bytes], kernel: bool = False) -> PreparedBoot:
    """The answer of the child's function."""
    return decode(PreparedBoot, prepare(encode(ProveAsk(image(folder, files), target.load("kvm"), str(folder), kernel))))


def test_the_kernel_of_the_default_entry(tmp_path: Path) -> None:
    found = prepared(tmp_path, DEBIAN, kernel=True)
    kernel = found.kernel
    assert kernel is not None, found.no_kernel
    assert kernel.entry == "Debian"
    assert (tmp_path / kernel.kernel).read_bytes() == b"the kernel"
    assert [(tmp_path / name).read_bytes() for name in kernel.initrds] == [b"microcode", b"the initramfs"]
    line = DirectKernel(tmp_path / kernel.kernel, (), kernel.command_line).visible_line("x86_64")
    assert line == f'root=UUID={UUID} ro opt="two words" console=tty0 console=tty0 console=ttyS0,115200'


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("/boot/grub/grub.cfg", "no GRUB, systemd-boot, extlinux or unified kernel image was found"),
        ("/boot/vmlinuz-6.1.0-13-amd64", "/boot/vmlinuz-6.1.0-13-amd64 does not exist"),
        ("/boot/initrd.img-6.1.0-13-amd64", "/boot/initrd.img-6.1.0-13-amd64 does not exist"),
    ],
)
def test_no_kernel(tmp_path: Path, missing: str, reason: str) -> None:
    found = prepared(tmp_path, {path: content for path, content in DEBIAN.items() if path != missing}, kernel=True)
    assert found.kernel is None
    assert reason in found.no_kernel


def test_nothing_is_copied_unless_asked_for(tmp_path: Path) -> None:
    assert prepared(tmp_path, DEBIAN).kernel is None
    assert not (tmp_path / "kernel").exists()


def test_console_fonts(tmp_path: Path) -> None:
    glyphs = {char: bitmap for bitmap, char in vga_font().items()}
    psf = b"\x36\x04\0\x10" + b"".join(glyphs.get(chr(code), bytes(16)) for code in range(256))
    fonts = {"/etc/console-setup/cached_Fixed.psf.gz": gzip.compress(psf), "/etc/console-setup/broken.psf": b"\x36\x04"}
    found = prepared(tmp_path, {**DEBIAN, **fonts}).fonts
    assert len(found) == 1
    assert dict(found[0])[glyphs["Q"].hex()] == "Q"


@pytest.mark.parametrize(
    ("interfaces", "mac"),
    [
        ("[Match]\nMACAddress=00:50:56:AA:BB:CC\n[Network]\nDHCP=yes\n", "00:50:56:aa:bb:cc"),
        ("[Match]\nName=en*\n[Network]\nDHCP=yes\n", ""),
        ("[Match]\nMACAddress=00-50-56-AA-BB-CC\n[Network]\nDHCP=yes\n", "00:50:56:aa:bb:cc"),
        ("[Match]\nMACAddress=0050.56AA.BBCC\n[Network]\nDHCP=yes\n", "00:50:56:aa:bb:cc"),
        ("[Match]\nMACAddress=0050.56AA.BBCC,romfile=/etc/passwd\n[Network]\nDHCP=yes\n", ""),
        ("[Match]\nMACAddress=00:50:56:aa:bb:cc,romfile=/etc/passwd\n[Network]\nDHCP=yes\n", ""),
        ("[Match]\nMACAddress=00:50:56:aa:bb\n[Network]\nDHCP=yes\n", ""),
    ],
)
def test_the_mac_address_the_guest_is_bound_to(tmp_path: Path, interfaces: str, mac: str) -> None:
    enabled = {
        "/etc/systemd/network/10-lan.network": interfaces.encode(),
        "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": b"[Service]\nExecStart=/lib/systemd/systemd-networkd\n",
        "/lib/systemd/system/systemd-networkd.service": b"[Service]\nExecStart=/lib/systemd/systemd-networkd\n",
    }
    assert prepared(tmp_path, {**DEBIAN, **enabled}).mac == mac


def test_a_guest_for_other_processors(tmp_path: Path) -> None:
    machine = (183).to_bytes(2, "little")
    arm = b"\x7fELF\2\1\1" + bytes(9) + (2).to_bytes(2, "little") + machine + bytes(44)
    with pytest.raises(Unsupported, match="a guest for aarch64 processors"):
        prepared(
            tmp_path,
            {**DEBIAN, "/bin/sh": arm, "/usr/bin/sh": arm, "/sbin/init": arm, "/bin/bash": arm, "/usr/bin/bash": arm, "/bin/ls": arm},
        )


KERNEL = CopiedKernel("Debian", "kernel", ("initrd0", "initrd1"), "root=/dev/vda1 ro")
HONEST = PreparedBoot((), "bios", 0, "00:50:56:aa:bb:cc", ((("00ff" * 8, "A"),),), KERNEL, "", target.load("vmware").hardware)
HARDWARE = HONEST.hardware
assert HARDWARE is not None
FORGED: dict[str, PreparedBoot] = {
    "a file of the host": replace(HONEST, kernel=replace(KERNEL, kernel="../kernel")),
    "an absolute path": replace(HONEST, kernel=replace(KERNEL, initrds=("/etc/shadow",))),
    "the folder": replace(HONEST, kernel=replace(KERNEL, kernel=".")),
    "no name": replace(HONEST, kernel=replace(KERNEL, kernel="")),
    "a zero byte in a name": replace(HONEST, kernel=replace(KERNEL, kernel="kernel\0")),
    "a zero byte in the line": replace(HONEST, kernel=replace(KERNEL, command_line="ro\0")),
    "an option behind the address": replace(HONEST, mac="00:50:56:aa:bb:cc,romfile=/etc/shadow"),
    "an address in quotes": replace(HONEST, mac="'00:50:56:aa:bb:cc'"),
    "an address in groups": replace(HONEST, mac="0050.56aa.bbcc"),
    "a disk before the first": replace(HONEST, boot_disk=-1),
    "a glyph": replace(HONEST, fonts=((("0x", "A"),),)),
    "a machine": replace(HONEST, hardware=replace(HARDWARE, machine="pc,accel=kvm")),
    "a disk": replace(HONEST, hardware=replace(HARDWARE, disk="vfio-pci,host=00:02.0")),
    "a card": replace(HONEST, hardware=replace(HARDWARE, nic="e1000,romfile=/etc/shadow")),
    "a display": replace(HONEST, hardware=replace(HARDWARE, vga="none -device x")),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_a_child_that_was_taken_over_may_not_answer(what: str) -> None:
    """Its words become options of QEMU, and files that QEMU opens."""
    there = target.load("vmware")
    assert is_valid(HONEST, there)
    assert is_valid(PreparedBoot((), "bios"), there)
    assert not is_valid(FORGED[what], there)


def test_a_zero_byte_ends_the_command_line(tmp_path: Path) -> None:
    files = {**DEBIAN, "/boot/grub/grub.cfg": GRUB_CFG.replace("quiet", "qu\0iet").encode()}
    found = prepared(tmp_path, files, kernel=True).kernel
    assert found is None or found.command_line == f"root=UUID={UUID} ro qu"
