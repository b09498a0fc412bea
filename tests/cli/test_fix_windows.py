"""``--virtio-win`` on the command line: what it asks for, and what --diff shows and does not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "--virtio-win", "/", "a.qcow2"), "--virtio-win requires --fix"),
        (("fix", "--virtio-win", "/no/such.iso", "a.qcow2"), "/no/such.iso: no such file or directory"),
    ],
)
def test_wrong_use(v2vlint: Run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "a.qcow2").touch()
    done = v2vlint(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "options", "words"),
    [
        ("w10", ("--unsafe-fixes",), "would install viostor from virtio-win  [windows-no-boot-driver]"),
        ("w10", (), "not fixed: install viostor from virtio-win  [windows-no-boot-driver]  is unsafe (--unsafe-fixes applies it)"),
        ("w11", ("--unsafe-fixes",), "has no drivers for Windows 10 Pro (a folder w10/x86_64)"),
    ],
)
def test_a_diff_with_drivers(v2vlint: Run, tmp_path: Path, folder: str, options: tuple[str, ...], words: str) -> None:
    drivers = tmp_path / "viostor" / folder / "amd64"
    drivers.mkdir(parents=True)
    (drivers / "viostor.sys").write_bytes(b"MZ" * 50_000)
    (image,) = cached("windows-10-vmware")
    before = image.read_bytes()
    done = v2vlint("fix", "--diff", "--no-config", "--virtio-win", str(tmp_path), *options, str(image))
    assert words in done.stdout
    shown = ('+"ImagePath"=expand:"system32\\\\drivers\\\\viostor.sys"\n', "write 100000 bytes to /Windows/System32/drivers/viostor.sys\n")
    assert all((line in done.stdout) is words.startswith("would") for line in shown)
    assert image.read_bytes() == before
