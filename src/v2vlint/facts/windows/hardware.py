"""Which Windows services drive a target's hardware.

Profiles name hardware by the Linux modules that drive it; the tables say which services of Windows drive the same. Names are those of
Windows itself (``storahci``, ``msahci``…), and of the virtio-win, VMware, Xen, Amazon and Google drivers.
"""

from __future__ import annotations

from collections.abc import Iterable

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
"""Services for devices that are neither disks nor network cards; one of them is enough."""
_BUS = frozenset({"sd_mod", "virtio_pci", "pci_hyperv", "uas"})

HARDWARE_IDS: dict[str, tuple[str, ...]] = {
    "viostor": ("VEN_1AF4&DEV_1001", "VEN_1AF4&DEV_1042"),
    "vioscsi": ("VEN_1AF4&DEV_1004", "VEN_1AF4&DEV_1048"),
    "pvscsi": ("VEN_15AD&DEV_07C0",),
}
"""PCI IDs of the boot drivers that no Windows brings itself: without a binding of one of them, Windows does not use the driver at boot."""

ADDED = frozenset({"netkvm", "xennet", "vmxnet3", "vmxnet3ndis6", "ena", "gvnic", "gve"})
"""Network drivers that no Windows brings itself."""


def storage_drivers() -> tuple[str, ...]:
    """Every storage service of the table."""
    return tuple(dict.fromkeys(name for sets in _STORAGE.values() for names in sets for name in names))


def storage_services(any_of: Iterable[tuple[str, ...]]) -> Sets:
    """The sets of services, any of which drives a controller; empty when the hardware is not in the table."""
    return _services(any_of, _STORAGE)


def network_services(any_of: Iterable[tuple[str, ...]]) -> Sets:
    """The sets of services, any of which drives a network card; empty when the hardware is not in the table."""
    return _services(any_of, _NETWORK)


def _services(any_of: Iterable[tuple[str, ...]], table: dict[str, Sets]) -> Sets:
    found = (one for modules in any_of for module in modules if module not in _BUS for one in table.get(module, ()))
    return tuple(dict.fromkeys(found))
