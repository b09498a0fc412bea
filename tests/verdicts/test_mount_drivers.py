"""Drivers of filesystems that boot mounts, and what keeps them from loading."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import FAILS, Told, store, told
from v2vlint.model.finding import Fate, Severity
from v2vlint.samples.boot import sample_boot, sample_initramfs, sample_kernel
from v2vlint.verdicts.mounts import MountsVerdict

ESP = "LABEL=ESP /boot/efi vfat defaults 0 1"
VFAT = sample_kernel(("vfat: fat", "fat", "ext4: jbd2", "jbd2", "isofs", "xfs", "virtio_blk"))


@pytest.mark.parametrize(
    ("conf", "line", "args", "found"),
    [
        ("install vfat /bin/true", ESP, "", [FAILS]),
        ("install fat /bin/false", ESP, "", [FAILS]),
        ("install v* /bin/false", ESP, "", [FAILS]),
        ("blacklist vfat", ESP, "", [FAILS]),
        ("blacklist vfat\r", ESP, "", []),
        ("blacklist fat", ESP, "", []),
        ("alias fs-vfat off", ESP, "", [FAILS]),
        ("alias vfat off", ESP, "", []),
        ("install fs-vfat /bin/true", ESP, "", [FAILS]),
        ("", ESP, "module_blacklist=fat", [FAILS]),
        ("", ESP, "modprobe.blacklist=vfat", [FAILS]),
        ("", ESP, "modprobe.blacklist=fat", []),
        ("install vfat /bin/true", "LABEL=ESP /boot/efi vfat nofail 0 1", "", []),
        ("install vfat /bin/true", "LABEL=ESP /boot/efi ext4 defaults 0 1", "", []),
        ("install vfat /bin/true\nblacklist vfat", f"{ESP}\nLABEL=E2 /efi2 vfat defaults 0 0", "", [FAILS]),
        ("install cramfs /bin/true", ESP, "", []),
        ("install xfs /bin/true", "LABEL=DATA /data xfs defaults 0 0", "", [FAILS]),
        ("blacklist isofs", "LABEL=CD /cd iso9660 ro 0 0", "", [FAILS]),
        ("blacklist ext4", "LABEL=DATA /data ext3 defaults 0 0", "", []),  # loaded for the root
        ("blacklist nfs", "server:/x /data nfs defaults 0 0", "", []),
    ],
)
def test_a_disabled_driver_of_a_mount(conf: str, line: str, args: str, found: Told) -> None:
    files = {**sample_boot(VFAT, args=f"ro {args}"), "/usr/bin/kmod": "", "/etc/fstab": line, "/etc/modprobe.d/x.conf": conf + "\n"}
    assert told(store(files).get(MountsVerdict).drivers) == found


def test_a_driver_that_an_unknown_kernel_may_have_built_in() -> None:
    files = {"/etc/fstab": ESP, "/etc/modprobe.d/x.conf": "install vfat /bin/true\n"}
    assert told(store(files).get(MountsVerdict).drivers) == [(Fate.UNKNOWN, Severity.WARNING)]
    assert told(store({**files, "/etc/modprobe.d/x.conf": ""}).get(MountsVerdict).drivers) == []


def test_a_blacklisted_driver_that_the_initramfs_loads_by_name() -> None:
    image = sample_initramfs(("vfat: fat", "fat", "ext4"), {"conf/modules": "vfat\n"})
    files = {**sample_boot(VFAT, image), "/usr/bin/kmod": "", "/etc/fstab": ESP, "/etc/modprobe.d/x.conf": "blacklist vfat\n"}
    assert told(store(files).get(MountsVerdict).drivers) == []
