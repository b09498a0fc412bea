"""The Windows services that drive a target's hardware.

Profiles name hardware by its Linux modules; these tables map them to Windows services. Service names are those of Windows itself
(``storahci``, ``msahci``…) and of the virtio-win, VMware, Xen, Amazon and Google drivers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.model.target import Controller

Sets = tuple[tuple[str, ...], ...]

_STORAGE: dict[str, Sets] = {
    "virtio_blk": (("viostor",),),
    "virtio_scsi": (("vioscsi",),),
    "ahci": (("storahci",), ("msahci",)),
    "nvme": (("stornvme",), ("nvme",), ("awsnvme",)),
    "hv_storvsc": (("vmbus", "storvsc"),),
    "xen_blkfront": (("xenvbd",), ("rhelscsi",)),
    "vmw_pvscsi": (("pvscsi",),),
    "mptspi": (("LSI_SCSI",), ("symmpi",)),
    "mptsas": (("LSI_SAS",), ("symmpi",)),
    "megaraid_sas": (("megasas",), ("MegaSR",)),
    "ata_piix": (("atapi", "intelide"), ("atapi", "pciide")),
    "ata_generic": (("atapi", "intelide"), ("atapi", "pciide")),
    "usb_storage": (("USBSTOR",),),
    "BusLogic": (("buslogic",),),
    "sym53c8xx": (("symc8xx",), ("sym_hi",)),
}
_NETWORK: dict[str, Sets] = {
    "virtio_net": (("netkvm",),),
    "hv_netvsc": (("netvsc",),),
    "xen_netfront": (("xennet",),),
    "vmxnet3": (("vmxnet3ndis6",), ("vmxnet3",)),
    "ena": (("ena",),),
    "gve": (("gvnic",), ("gve",)),
    "e1000": (("E1G60",), ("E1000",)),
    "e1000e": (("e1i65x64",), ("e1i63x64",), ("e1iexpress",), ("e1express",)),
    "8139cp": (("rtl8139",),),
    "8139too": (("rtl8139",),),
    "igb": (("e1r65x64",), ("e1rexpress",)),
    "pcnet32": (("PCnet",),),
    "ixgbevf": (("vxn65x64",), ("vxn",)),
}
OTHERS: dict[str, tuple[str, ...]] = {
    "virtio_rng": ("viorng", "VirtRng"), "virtio_balloon": ("balloon",), "virtio_gpu": ("viogpudo", "viogpu3d"), "virtiofs": ("viofs",),
    "vmw_vsock_virtio_transport": ("viosock",),
}  # fmt: skip
"""Services for devices other than disks and network cards; one of them is enough."""
_BUS = frozenset({"sd_mod", "virtio_pci", "pci_hyperv", "uas"})

_DEVICES: dict[str, tuple[str, ...]] = {
    "virtio_blk": ("PCI#VEN_1AF4&DEV_1001&CC_0100", "PCI#VEN_1AF4&DEV_1042&CC_0100"),
    "virtio_scsi": ("PCI#VEN_1AF4&DEV_1004&CC_0100", "PCI#VEN_1AF4&DEV_1048&CC_0100"),
    "ahci": ("PCI#VEN_8086&DEV_2922&CC_010601",),
    "nvme": ("PCI#VEN_1B36&DEV_0010&CC_010802",),
    "hv_storvsc": ("VMBUS#{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}", "VMBUS#{32412632-86cb-44a2-9b5c-50d1417354f5}"),
    "vmw_pvscsi": ("PCI#VEN_15AD&DEV_07C0&CC_0107",),
    "mptspi": ("PCI#VEN_1000&DEV_0030&CC_0100",),
    "mptsas": ("PCI#VEN_1000&DEV_0054&CC_0107",),
    "megaraid_sas": ("PCI#VEN_1000&DEV_0060&CC_0104", "PCI#VEN_1000&DEV_005B&CC_0104"),
    "ata_piix": ("PCI#VEN_8086&DEV_7010&CC_010180",),
    "ata_generic": ("PCI#VEN_8086&DEV_7010&CC_010180",),
    "BusLogic": ("PCI#VEN_104B&DEV_1040&CC_0100",),
    "sym53c8xx": ("PCI#VEN_1000&DEV_0012&CC_0100", "PCI#VEN_1000&DEV_0001&CC_0100"),
}
"""The devices that a module's controller may be; the guest meets one of them. Their plug and play IDs with the PCI class, as in QEMU
(hw/ide/piix.c, hw/ide/ich.c, hw/scsi) unless the profile states others. VMBus: Linux, include/linux/hyperv.h."""

HARDWARE_IDS: dict[str, tuple[str, ...]] = {
    "viostor": ("VEN_1AF4&DEV_1001", "VEN_1AF4&DEV_1042"),
    "vioscsi": ("VEN_1AF4&DEV_1004", "VEN_1AF4&DEV_1048"),
    "pvscsi": ("VEN_15AD&DEV_07C0",),
}
"""PCI IDs of boot drivers that no Windows ships. Unless one of them is bound, Windows does not use the driver at boot."""

ADDED = frozenset({"netkvm", "xennet", "vmxnet3", "vmxnet3ndis6", "ena", "gvnic", "gve"})
"""Network drivers that no Windows ships."""


def storage_drivers() -> tuple[str, ...]:
    """Every storage service of the table."""
    return tuple(dict.fromkeys(name for sets in _STORAGE.values() for names in sets for name in names))


@dataclass(frozen=True, slots=True)
class StorageWay:
    """One way to drive a controller: all ``services`` must start, and the last one drives the device itself, which is one of ``devices``
    (plug and play IDs with ``#``, see :mod:`v2vlint.facts.windows.critical`; empty when not known)."""

    services: tuple[str, ...]
    devices: tuple[str, ...]


def storage_ways(controller: Controller) -> tuple[StorageWay, ...]:
    """All ways; empty when the hardware is not in the table."""
    return tuple(dict.fromkeys(_ways(controller)))


def _ways(controller: Controller) -> Iterator[StorageWay]:
    named = dict(controller.ids)
    for module in (one for modules in controller.any_of for one in modules if one not in _BUS):
        devices = _DEVICES.get(module, ())
        if devices and module in named:
            vendor, _colon, device = named[module].upper().partition(":")
            devices = (f"PCI#VEN_{vendor}&DEV_{device}&CC_{devices[0].rpartition('CC_')[2]}",)
        yield from (StorageWay(services, devices) for services in _STORAGE.get(module, ()))


def storage_services(any_of: Iterable[tuple[str, ...]]) -> Sets:
    """Alternative sets of services for a controller; empty when the hardware is not in the table."""
    return _services(any_of, _STORAGE)


def network_services(any_of: Iterable[tuple[str, ...]]) -> Sets:
    """Alternative sets of services for a network card; empty when the hardware is not in the table."""
    return _services(any_of, _NETWORK)


def _services(any_of: Iterable[tuple[str, ...]], table: dict[str, Sets]) -> Sets:
    found = (one for modules in any_of for module in modules if module not in _BUS for one in table.get(module, ()))
    return tuple(dict.fromkeys(found))
