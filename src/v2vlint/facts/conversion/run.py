"""Who carries the guest, and whether that converts it for this target."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.facts.registry import provides
from v2vlint.model.finding import Mover
from v2vlint.model.target import Target

_OUTPUTS = frozenset({"libvirt", "openstack", "kubevirt", "ovirt"})


@dataclass(frozen=True, slots=True)
class Conversion:
    """``by_virt_v2v``: virt-v2v carries the guest, so its demands count, and so does what it edits, wherever the disks go afterwards.

    ``fits``: it also makes the machine, as its outputs for libvirt, QEMU, oVirt, OpenStack and KubeVirt do (``output/select_output.ml``).
    Elsewhere the disks meet the target's own hardware, with virtio's drivers added and disks renamed for it.
    """

    by_virt_v2v: bool = False
    fits: bool = False


@provides
def find_conversion(mover: Mover, target: Target) -> Conversion:
    """From what the user says."""
    by_virt_v2v = mover is Mover.VIRT_V2V
    return Conversion(by_virt_v2v, by_virt_v2v and target.platform in _OUTPUTS)
