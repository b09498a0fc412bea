"""A small guest to be copied."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FILES = {
    "bin/.keep": "",
    "usr/bin/.keep": "",
    "lib/.keep": "",
    "root/.keep": "",
    "etc/os-release": 'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n',
    "etc/fstab": "/dev/sda /srv ext4 errors=remount-ro 0 1\n",
}


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A qcow2 with a Debian that mounts /srv by a device's name."""
    folder = tmp_path_factory.mktemp("small")
    for name, content in FILES.items():
        (folder / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "root" / name).write_text(content)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(folder / "root"), str(folder / "raw"), "8M"], check=True)
    subprocess.run(["qemu-img", "convert", "-q", "-O", "qcow2", str(folder / "raw"), str(folder / "image.qcow2")], check=True)
    return folder / "image.qcow2"
