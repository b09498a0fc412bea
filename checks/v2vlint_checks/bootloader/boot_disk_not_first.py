"""Rule boot-disk-not-first."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Conversion,
    Device,
    Example,
    Finding,
    Firmware,
    Mover,
    NotApplicable,
    Rule,
    Severity,
)

_EMPTY = BlockDevice("disk1", "disk", 2 << 30, 0, details=(("boot_code", "none"),))
_GRUB = BlockDevice("disk2", "disk", 2 << 30, 1, details=(("pt", "dos"), ("boot_code", "grub")))


class BootDiskNotFirst(Rule):
    """The guest's boot code is not on its first disk.

    ## What it does
    Finds guests with several disks, started from BIOS, whose first disk has no boot code.

    ## Why it matters
    Most hypervisors boot from the first disk unless the boot order says otherwise. The machine then says that there is nothing to boot.

    ## References
    - virt-v2v commits ca6ec631 and 06fa7bf0 (RHEL-108991): it looks for GRUB's signature and sets the boot order.
    - forklift commit a173343e7 (MTV-4165)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({"/etc/hostname": "x"}, given=(BlockTable((_EMPTY, _GRUB)),), flags=("disk2 boot sector",), severity=Severity.WARNING),
        Example(
            {"/etc/hostname": "x"},
            given=(BlockTable((_EMPTY, _GRUB)),),
            mover=Mover.VIRT_V2V,
            flags=("disk2 boot sector",),
            severity=Severity.INFO,
        ),
        Example({"/etc/hostname": "x"}, given=(BlockTable((BlockDevice("disk1", "disk", 1, 0, details=(("boot_code", "grub"),)), _GRUB)),)),
    )

    def check(self, firmware: Firmware, blocks: BlockTable, conversion: Conversion) -> Iterator[Finding]:
        if firmware.boot_disk is None or firmware.uefi:
            raise NotApplicable("the guest does not need BIOS boot code")
        first = blocks.disks[0]
        if firmware.boot_disk == 0 or first.detail("boot_code") != "none":
            return
        here = f"disk{firmware.boot_disk + 1}"
        severity = Severity.INFO if conversion.fits else Severity.WARNING
        effect = "virt-v2v sets the boot order" if conversion.fits else "nothing boots unless the boot order names that disk"
        message = f"the boot code is on {here}, and disk1 has none"
        yield self.finding(Device(here, "boot sector"), message, effect, severity=severity)
