"""Device names that virt-v2v writes to the guest's configuration: ``convert/convert_linux.ml``, ``remap_block_devices``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from v2vlint.facts.conversion.kernel import ConvertedKernel
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.registry import provides
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.disk_letters import letters_of
from v2vlint.model.osinfo import OsInfo

_NVME = re.compile(r"/dev/(?P<disk>nvme\d+n1)(?:p(?P<part>\d+))?")
_PLAIN = re.compile(r"/dev/(?P<disk>[a-z]+)(?P<part>\d*)")
_SCSI = frozenset({"scsi", "sata", "usb"})


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """How virt-v2v rewrites names in fstab, crypttab, GRUB legacy's menu and ``resume=``. ``renamed`` maps disks: ``sda`` → ``vda``."""

    renamed: Mapping[str, str]
    converts: bool = False

    def after(self, spec: str) -> str:
        """``spec`` as virt-v2v leaves it. Names it does not handle stay: by-path, by-id, cciss, mmcblk, other controllers' disks."""
        match = _NVME.fullmatch(spec) or _PLAIN.fullmatch(spec)
        disk = self.renamed.get(match["disk"]) if match else None
        return f"/dev/{disk}{match['part'] or ''}" if match and disk else spec

    def in_crypttab(self, spec: str) -> str:
        """``spec`` in crypttab: ``/dev/sd…`` becomes the UUID of its content, whatever the controller was."""
        return "UUID=" if self.converts and spec.startswith("/dev/sd") and _PLAIN.fullmatch(spec) else self.after(spec)

    def changes(self, spec: str) -> bool:
        """Whether virt-v2v changes the name."""
        return self.after(spec) != spec


@provides
def find_device_names(refusals: Refusals, kernel: ConvertedKernel, os: OsInfo, definition: Definition, blocks: BlockTable) -> DeviceNames:
    """By the disk's position among all disks, and its controller in the definition.

    Without a definition (``-i disk``) every disk counts as IDE: ``sd``, but ``hd`` in the SUSE family and in the Red Hat family up to 5,
    where ``/dev/sda`` therefore stays.
    """
    if not refusals.converts:
        return DeviceNames({})
    ide = "hd" if os.family == "suse" or (os.family == "rhel" and os.major <= 5) else "sd"
    new = "vd" if kernel.best is None or kernel.supports("virtio_blk") else ide
    buses = [disk.bus for disk in definition.disks] if definition.source else [""] * max(1, len(blocks.disks))
    # A definition states each disk's bus, and so its name in the guest. A Xen guest may use xvd names all the same.
    names = {_before(bus, position, ide): f"{new}{letters_of(position)}" for position, bus in enumerate(buses)}
    xen = {f"xvd{letters_of(position)}": f"{new}{letters_of(position)}" for position in range(len(buses))}
    return DeviceNames({**xen, **names}, converts=True)


def _before(bus: str, position: int, ide: str) -> str:
    if bus == "nvme":
        return f"nvme{position}n1"
    prefix = "sd" if bus in _SCSI else "vd" if bus == "virtio" else ide
    return f"{prefix}{letters_of(position)}"
