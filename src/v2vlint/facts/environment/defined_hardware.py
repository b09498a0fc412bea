"""The kernel drivers needed by the hardware in the machine's own definition."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition, DiskDevice, NicDevice
from v2vlint.model.target import Controller, Nic

_SD = "sd"
_SCSI = {
    "virtio-scsi": ("virtio_scsi", "virtio_pci"), "virtio-non-transitional": ("virtio_scsi", "virtio_pci"), "pvscsi": ("vmw_pvscsi",),
    "virtualscsi": ("vmw_pvscsi",), "vmpvscsi": ("vmw_pvscsi",), "lsilogic": ("mptspi",), "lsilogicsas": ("mptsas",),
    "lsisas1068": ("mptsas",),
    "buslogic": ("BusLogic",), "lsisas1078": ("megaraid_sas",),
}  # fmt: skip
_BUSES = {
    "virtio": Controller("virtio-blk", "vd", (("virtio_blk", "virtio_pci"),)),
    "sata": Controller("SATA", _SD, (("ahci", "sd_mod"),)),
    "nvme": Controller("NVMe", "nvme", (("nvme",),)),
    "xen": Controller("Xen block device", "xvd", (("xen_blkfront",),)),
}
_NICS = {
    "virtio": (("virtio_net", "virtio_pci"),), "vmxnet3": (("vmxnet3",),), "e1000": (("e1000",),), "e1000e": (("e1000e",),),
    "rtl8139": (("8139cp",), ("8139too",)), "pcnet32": (("pcnet32",),), "netfront": (("xen_netfront",),),
}  # fmt: skip
_PREFIXES = {
    "virtio": ("vd",),
    "sata": ("sd",),
    "scsi": ("sd",),
    "usb": ("sd",),
    "nvme": ("nvme",),
    "xen": ("xvd", "sd", "hd"),
    "ide": ("sd", "hd"),
}


@dataclass(frozen=True, slots=True)
class DefinedHardware:
    """The disks and cards of the definition with their drivers, in its order. Devices of unknown models are left out.

    ``prefixes`` are the kernel's possible disk names on its controllers (``sd``, ``vd``…); None when one of them is not known.
    """

    disks: tuple[tuple[DiskDevice, Controller], ...] = ()
    nics: tuple[tuple[NicDevice, Nic], ...] = ()
    prefixes: frozenset[str] | None = None


@provides
def defined_hardware(definition: Definition) -> DefinedHardware:
    """The hardware in ``definition``; empty without a definition."""
    buses = [disk.bus for disk in definition.disks]
    known = bool(buses) and all(bus in _PREFIXES for bus in buses)
    prefixes = frozenset(prefix for bus in buses for prefix in _PREFIXES.get(bus, ())) if known else None
    return DefinedHardware(tuple(_disks(definition)), tuple(_nics(definition)), prefixes)


def _disks(definition: Definition) -> Iterator[tuple[DiskDevice, Controller]]:
    for disk in definition.disks:
        if disk.bus == "scsi" and (modules := _SCSI.get(disk.model.lower())):
            yield disk, Controller(f"{disk.model} SCSI", _SD, ((*modules, "sd_mod"),))
        elif disk.bus in _BUSES:
            yield disk, _BUSES[disk.bus]


def _nics(definition: Definition) -> Iterator[tuple[NicDevice, Nic]]:
    for nic in definition.nics:
        if modules := _NICS.get(nic.model.lower()):
            yield nic, Nic(nic.model, modules)
