"""What virt-v2v repairs on the way (its ``convert/convert_linux.ml``), as far as severities depend on it. It converts to KVM only."""

from __future__ import annotations

from v2vlint.facts.initramfs.config import InitramfsConfig
from v2vlint.model.finding import Mover
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Target

_BUILDERS = frozenset({"dracut", "initramfs-tools", "mkinitrd", "suse-mkinitrd", "make-initrd"})


def virt_v2v_converts(mover: Mover, target: Target) -> bool:
    """Whether virt-v2v carries the guest, to where it converts guests for."""
    return mover is Mover.VIRT_V2V and target.hypervisor == "kvm"


def virt_v2v_rebuilds(mover: Mover, target: Target, os: OsInfo, config: InitramfsConfig) -> bool:
    """Whether virt-v2v makes the default kernel's initramfs anew with the virtio drivers: with builders it knows, on Debian, Red Hat and
    SUSE families."""
    known = any(generator.name in _BUILDERS for generator in config.installed)
    return virt_v2v_converts(mover, target) and known and os.family in ("debian", "rhel", "suse", "altlinux")
