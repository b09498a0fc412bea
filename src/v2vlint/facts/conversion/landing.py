"""The hardware the guest lands on: the target's, or the machine that virt-v2v creates there."""

from __future__ import annotations

from v2vlint.facts.boot.efi import ESP_TYPE
from v2vlint.facts.boot.firmware import BIOS_BOOT_TYPE
from v2vlint.facts.conversion.kernel import ConvertedKernel
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.registry import FactStore, provides
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Controller, Firmware, Nic, Target

_BLOCK = Controller("virtio-blk", "vd", (("virtio_blk", "virtio_pci"),))
_IDE = Controller("SATA or IDE", "sd", (("ahci", "sd_mod"), ("ata_piix", "sd_mod"), ("piix",)))
_NET = Nic("virtio-net", (("virtio_net", "virtio_pci"),))
_E1000 = Nic("e1000", (("e1000",),))


@dataclass(frozen=True, slots=True)
class Landing:
    """Controllers and cards (the guest must work on each of them), and the available firmware.

    virt-v2v's machine has virtio-blk if the kernel supports it, else IDE, which is SATA on a q35 machine; virtio-net, else e1000:
    ``convert/convert_linux.ml``, ``do_convert``, and ``convert/target_bus_assignment.ml``. It falls back the same way for Windows.
    """

    controllers: tuple[Controller, ...]
    nics: tuple[Nic, ...]
    firmware: tuple[Firmware, ...]

    @property
    def prefixes(self) -> frozenset[str]:
        """All name prefixes that the kernel may give its disks: ``{"vd"}``."""
        return frozenset(controller.prefix for controller in self.controllers)


@provides
def find_landing(target: Target, conversion: Conversion, os: OsInfo, store: FactStore) -> Landing:
    """The landing; the target's own hardware if virt-v2v's choice of kernel is unknown."""
    controllers, nics, firmware = target.controllers, target.nics, target.firmware
    if not conversion.fits:
        return Landing(controllers, nics, firmware)
    if os.kind == "linux" and (kernel := _kernel(store)) is not None and kernel.best is not None:
        controllers = (_BLOCK if kernel.supports("virtio_blk") else _IDE,)
        nics = (_NET if kernel.supports("virtio_net") else _E1000,)
    if store.get(Refusals).converts:
        firmware = _firmware(store.get(BlockTable), store.get(Definition)) or firmware
    return Landing(controllers, nics, firmware)


def _kernel(store: FactStore) -> ConvertedKernel | None:
    try:
        return store.get(ConvertedKernel)
    except FactUnavailable:
        return None


def _firmware(blocks: BlockTable, definition: Definition) -> tuple[Firmware, ...]:
    """The source's firmware, or without it UEFI if a GPT has an ESP and no BIOS boot partition.

    ``convert/convert.ml``, ``get_target_firmware``; ``mldrivers/firmware.ml``, ``detect_firmware``.
    """
    if definition.firmware in ("bios", "uefi"):
        return ("uefi",) if definition.firmware == "uefi" else ("bios",)
    # A disk that is missing could hold the ESP.
    if not blocks.devices or not blocks.complete:
        return ()
    types = {device.part_type for device in blocks}
    return ("uefi",) if ESP_TYPE in types and BIOS_BOOT_TYPE not in types else ("bios",)
