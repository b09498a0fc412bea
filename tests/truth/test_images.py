"""The stacks of drawn guests, written without device-mapper, are what they are said to be."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import get_args

import pytest

from tests.disk.images import need, open_paths
from tests.guest.test_open import ROOT, filesystem, root_files
from tests.truth import images
from tests.truth.draw import Guest, Stack

_KINDS = {
    "plain": ["disk"],
    "subvol": ["disk"],
    "lvm": ["disk", "lv"],
    "thin": ["disk", "lv"],
    "md1": ["disk", "md"],
    "luks1": ["disk", "luks"],
    "luks2": ["disk", "luks"],
    "luks2-lvm": ["disk", "luks", "lv"],
}


@pytest.mark.parametrize("stack", get_args(Stack))
def test_the_root_is_found_in_its_stack(stack: Stack, tmp_path: Path) -> None:
    need("cryptsetup", "qemu-img", "thin_restore")
    content = filesystem(tmp_path / "root.img", root_files("/dev/x / ext4\n"), uuid=ROOT)
    made = images.wrapped(Guest(stack=stack), content, tmp_path)
    guest = open_paths(made, keys=(images.KEY,))
    assert [root.fs.exists("/etc/fstab") for root in guest.roots] == [True]
    assert list(dict.fromkeys(device.kind for device in guest.blocks)) == _KINDS[stack]


def test_lvm_reads_the_metadata_of_a_thin_pool(tmp_path: Path) -> None:
    need("pvck", "thin_restore", "thin_check")
    content = filesystem(tmp_path / "root.img", root_files(""), uuid=ROOT)
    made = images.wrapped(Guest(stack="thin"), content, tmp_path)
    dump = subprocess.run(["pvck", "--dump", "metadata", made], capture_output=True, text=True, check=True).stdout
    assert "vgname vg0" in dump
    assert 'thin_pool = "pool0"' in dump
