"""``v2vlint fix`` on a guest whose root is locked says what it did not look at, instead of that there is nothing to fix."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from tests.disk.images import need
from tests.guest.test_closed_roots import CRYPTSETUP, MODULES, guest_of
from tests.guest.test_open import ROOT, filesystem, root_files
from tests.guest.test_stacks import luks
from v2vlint.samples.boot import sample_initramfs


def test_a_locked_root_is_named(v2vlint: Run, tmp_path: Path) -> None:
    need("qemu-img")
    inner = luks(filesystem(tmp_path / "root", root_files("/dev/sda2 / ext4\n"), uuid=ROOT))
    guest_of(tmp_path, inner, "/dev/mapper/root_crypt", sample_initramfs(("ahci",), {"sbin/cryptsetup": ""}))
    image = (tmp_path / "disk").rename(tmp_path / "disk.raw")
    before = image.read_bytes()
    done = v2vlint("fix", "--diff", str(image))
    assert f"{image}: nothing to fix in what could be read; by hand: forecast\n" in done.stdout
    assert "not looked at: disk1p2: encrypted (crypto_LUKS), and no key was given (give a key with --key-file" in done.stdout
    assert done.returncode == 1
    assert image.read_bytes() == before


def test_the_command_line_beside_a_locked_root_is_repaired(v2vlint: Run, tmp_path: Path) -> None:
    need("qemu-img", "debugfs")
    inner = luks(filesystem(tmp_path / "root", root_files("/dev/sda2 / ext4\n"), uuid=ROOT))
    guest_of(tmp_path, inner, "/dev/mapper/root cryptdevice=/dev/sda2:root", sample_initramfs(MODULES, CRYPTSETUP))
    image = (tmp_path / "disk").rename(tmp_path / "disk.raw")
    done = v2vlint("fix", str(image))
    assert "fixed: unlock UUID=" in done.stdout
    assert "not looked at: disk1p2: encrypted (crypto_LUKS)" in done.stdout
    assert "crypt-device-name" not in v2vlint("check", "--select", "crypt-device-name", str(image)).stdout.split("unknown")[0]
