"""Words behind ``--`` are for init, not for the kernel; what reads /proc/cmdline takes them all the same.

Linux 6.1 was booted with ``-- rdinit=/nope``: it starts /init.
"""

from __future__ import annotations

import pytest

from tests.verdicts.asking import store
from tests.verdicts.booting import WHOLE, guest, initramfs
from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.path import BootPath, BootPaths
from v2vlint.facts.environment.selinux import Selinux
from v2vlint.facts.kernel.huge_pages import HugePages
from v2vlint.model.rule import Content
from v2vlint.verdicts.initramfs import tries_again

CONFIG: dict[str, Content] = {"/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n"}


def path(args: str, image: bytes = WHOLE) -> BootPath:
    return next(iter(store(guest(image, args)).get(BootPaths).defaults))


@pytest.mark.parametrize(("dashes", "started"), [("", False), ("-- ", True), ("--x ", False)])
def test_rdinit(dashes: str, started: bool) -> None:
    assert (path(f"root=/dev/vda1 {dashes}rdinit=/nope").image is not None) is started


@pytest.mark.parametrize(("name", "stops"), [("module_blacklist", False), ("modprobe.blacklist", True)])
def test_blacklists(name: str, stops: bool) -> None:
    assert path(f"root=/dev/vda1 {name}=virtio_blk").module("virtio_blk").usable is False
    assert path(f"root=/dev/vda1 -- {name}=virtio_blk").module("virtio_blk").usable is not stops


def test_the_root_without_and_with_an_initramfs() -> None:
    args = "root=/dev/vda1 rootfstype=ext4 -- root=/dev/vda9 rootfstype=xfs"
    for image, root, fs_type in ((WHOLE, "/dev/vda9", "xfs"), (b"", "/dev/vda1", "ext4")):
        entry, started = store(guest(image, args)).get(Bootloader).default, path(args, image)
        assert entry is not None
        assert entry.root is not None
        assert entry.root.value == root
        assert [arg.value for arg in started.early_args if arg.name == "rootfstype"][-1] == fs_type


@pytest.mark.parametrize(("image", "shell"), [(WHOLE, True), (b"", False)])
def test_init(image: bytes, shell: bool) -> None:
    """initramfs-tools, dracut, systemd and NixOS look for it in /proc/cmdline."""
    files = guest(image, "root=/dev/vda1 -- init=/bin/bash") | {"/bin/bash": b"\x7fELF", "/sbin/init": b"\x7fELF"}
    assert bool(store(files).get(BootEnd).shell) is shell


def test_what_else_the_kernel_reads() -> None:
    for dashes, found in (("", True), ("-- ", False)):
        files = guest(WHOLE, f"root=/dev/vda1 {dashes}selinux=0 hugepages=64 panic=-1") | CONFIG
        assert (store(files).get(Selinux).mode == "disabled") is found
        assert bool(store(files).get(HugePages).reserves) is found
        assert tries_again(next(iter(store(files).get(BootPaths).defaults))) is found


def test_libselinux_reads_enforcing() -> None:
    assert store(guest(WHOLE, "root=/dev/vda1 -- enforcing=0") | CONFIG).get(Selinux).mode == "permissive"


def test_the_initramfs_is_judged_as_before() -> None:
    assert [cause.fate for cause in initramfs(guest(WHOLE, "root=/dev/vda1 -- rdinit=/nope")).none_loaded] == []
