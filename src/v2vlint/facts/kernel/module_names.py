"""Names of kernel modules: one spelling for ``virtio-blk.ko.xz``, ``virtio_blk``, ``CONFIG_VIRTIO_BLK`` (modprobe(8), modules.dep(5))."""

from __future__ import annotations

import re

_SUFFIX = re.compile(r"\.k?o(?:\.(?:gz|xz|zst|bz2|lzma))?$")
_MODULE = re.compile(r"(?:^|/)(?:usr/)?(?:lib/)?modules/([^/]+)/")

SYMBOLS = {
    "virtio_blk": "VIRTIO_BLK", "virtio_pci": "VIRTIO_PCI", "virtio_mmio": "VIRTIO_MMIO", "virtio_scsi": "SCSI_VIRTIO",
    "virtio_net": "VIRTIO_NET", "virtio": "VIRTIO", "nvme": "BLK_DEV_NVME", "hv_vmbus": "HYPERV", "hv_storvsc": "HYPERV_STORAGE",
    "hv_netvsc": "HYPERV_NET", "pci_hyperv": "PCI_HYPERV", "hyperv_keyboard": "HYPERV_KEYBOARD", "xen_blkfront": "XEN_BLKDEV_FRONTEND",
    "xen_netfront": "XEN_NETDEV_FRONTEND", "vmw_pvscsi": "VMWARE_PVSCSI", "vmxnet3": "VMXNET3", "mptspi": "FUSION_SPI",
    "mptsas": "FUSION_SAS", "ahci": "SATA_AHCI", "ata_piix": "ATA_PIIX", "ata_generic": "ATA_GENERIC", "sd_mod": "BLK_DEV_SD",
    "scsi_mod": "SCSI", "megaraid_sas": "MEGARAID_SAS", "sym53c8xx": "SCSI_SYM53C8XX_2", "buslogic": "SCSI_BUSLOGIC",
    "e1000": "E1000", "e1000e": "E1000E", "igb": "IGB", "igbvf": "IGBVF", "ixgbevf": "IXGBEVF", "ena": "ENA_ETHERNET", "gve": "GVE",
    "8139cp": "8139CP", "8139too": "8139TOO", "pcnet32": "PCNET32", "tulip": "TULIP", "ext2": "EXT2_FS", "ext3": "EXT3_FS",
    "ext4": "EXT4_FS", "xfs": "XFS_FS", "btrfs": "BTRFS_FS", "f2fs": "F2FS_FS", "jfs": "JFS_FS", "reiserfs": "REISERFS_FS",
    "vfat": "VFAT_FS", "fat": "FAT_FS", "dm_mod": "BLK_DEV_DM", "dm_crypt": "DM_CRYPT", "md_mod": "BLK_DEV_MD", "raid0": "MD_RAID0",
    "raid1": "MD_RAID1", "raid10": "MD_RAID10", "raid456": "MD_RAID456", "xts": "CRYPTO_XTS", "usb_storage": "USB_STORAGE",
    "uas": "USB_UAS", "bochs": "DRM_BOCHS", "virtio_gpu": "DRM_VIRTIO_GPU", "vmwgfx": "DRM_VMWGFX", "hyperv_drm": "DRM_HYPERV",
}  # fmt: skip
"""The Kconfig symbol (without ``CONFIG_``) of a module, for kernels that ship no ``modules.builtin``."""


def normal(name: str) -> str:
    """A module name as the kernel spells it: ``xen-blkfront`` → ``xen_blkfront``. Case is kept (``BusLogic``)."""
    return name.replace("-", "_")


def is_module_path(path: str) -> bool:
    """Whether a path names a module file, compressed or not."""
    return _SUFFIX.search(path) is not None


def module_name(path: str) -> str:
    """``kernel/drivers/block/virtio-blk.ko.xz`` → ``virtio_blk``."""
    name = path[path.rfind("/") + 1 :]
    # Nearly all of thousands of paths end like this.
    return (name[:-3] if name.endswith(".ko") else _SUFFIX.sub("", name)).replace("-", "_")


def tree_version(path: str) -> str:
    """The kernel version whose module folder ``path`` is under (``lib/modules/6.1.0/…`` → ``6.1.0``), or an empty string."""
    match = _MODULE.search(path)
    return match[1] if match else ""
