"""What this host has mounted, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2vlint.files import devices
from v2vlint.files.devices import HostMount, host_mounts

LINES = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
36 22 0:31 / /mnt/two\\040words rw shared:1 master:2 - fuse.sshfs host:/x - rw
cut off
"""


def test_each_mount_with_its_place_and_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optional fields come and go before the dash; a space in a path is escaped."""
    (tmp_path / "mountinfo").write_text(LINES)
    monkeypatch.setattr(devices, "_MOUNTS", tmp_path / "mountinfo")
    assert list(host_mounts()) == [HostMount("254:0", "/", "ext4"), HostMount("0:31", "/mnt/two words", "fuse.sshfs")]
    monkeypatch.setattr(devices, "_MOUNTS", tmp_path / "gone")
    assert list(host_mounts()) == []
