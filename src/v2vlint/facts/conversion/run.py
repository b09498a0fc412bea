"""The mover, and whether it converts the guest for this target."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Mover
from v2vlint.model.target import Target

_OUTPUTS = frozenset({"libvirt", "openstack", "kubevirt", "ovirt"})


@dataclass(frozen=True, slots=True)
class Conversion:
    """``by_virt_v2v``: virt-v2v is the mover, so its requirements and edits count, wherever the disks go afterwards.

    ``fits``: it also creates the machine, as its outputs for libvirt, QEMU, oVirt, OpenStack and KubeVirt do (``output/select_output.ml``).
    Elsewhere the disks meet the target's own hardware, with virtio drivers added and disks renamed for virtio.
    """

    by_virt_v2v: bool
    fits: bool


@provides
def find_conversion(mover: Mover, target: Target) -> Conversion:
    """Derived from the user's options."""
    by_virt_v2v = mover is Mover.VIRT_V2V
    return Conversion(by_virt_v2v, by_virt_v2v and target.platform in _OUTPUTS)
