"""Rule firmware-unsupported."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Firmware,
    FirmwareVerdict,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    sample_chain,
)

_BIOS = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "dos"),)),), chains=(sample_chain(),))
_ESP = BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_UEFI = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)), _ESP), chains=(sample_chain("none"),))
_LOADER: dict[str, str | bytes] = {"/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ"}


class FirmwareUnsupported(Rule):
    """The disks boot with one kind of firmware only, and the target has the other.

    ## What it does
    Decides from boot code, partition tables and the EFI system partition whether the disks boot from BIOS, UEFI or both, and compares
    that with the firmware the target can present.

    ## Why it matters
    The firmware finds nothing to boot.

    ## References
    - virt-v2v commit 22ec2d24 (a BIOS boot partition outranks an ESP); forklift commit 03ea6e83e (MTV-4497)
    - UEFI specification, chapter 13
    """

    severity = Severity.ERROR
    stage = Stage.FIRMWARE
    since = "0.1"
    kinds = frozenset({"linux", "windows"})
    examples = (
        Example({"/etc/hostname": "x"}, given=(_BIOS,), target="hyperv-gen2", flags=("disk1 boot sector",), severity=Severity.ERROR),
        Example(_LOADER, given=(_UEFI,), target="hyperv-gen1", flags=("disk1 partition table",), severity=Severity.ERROR),
        Example({"/etc/hostname": "x"}, given=(_BIOS,)),
        Example(_LOADER, given=(BlockTable((*_BIOS.devices, _ESP)),), target="hyperv-gen2", title="starts from both"),
    )

    def check(self, verdict: FirmwareVerdict, firmware: Firmware) -> Iterator[Finding]:
        if not firmware.only:
            raise NotApplicable(f"the firmware is not certain: {firmware.bios_reason}; {firmware.uefi_reason}")
        for cause in verdict.unsupported:
            yield self.finding(cause.where, cause.reason, "the firmware finds nothing to boot", severity=cause.severity)
