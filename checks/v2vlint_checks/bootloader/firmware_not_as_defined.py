"""Rule firmware-not-as-defined."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Definition,
    Example,
    Finding,
    Firmware,
    FirmwareVerdict,
    Mover,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    sample_chain,
    sample_domain,
    sample_vmx,
)

_BIOS = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "dos"),)),), chains=(sample_chain(),))
_ESP = BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_UEFI = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)), _ESP), chains=(sample_chain("none"),))
_LOADER: dict[str, str | bytes] = {"/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ"}


class FirmwareNotAsDefined(Rule):
    """The disks boot with one kind of firmware, and the machine is defined with the other.

    ## What it does
    Compares the firmware the disks can boot with (boot code, EFI system partition) with the one in the definition. A VMX file that
    states none, and a libvirt domain without a UEFI loader, mean BIOS.

    ## Why it matters
    virt-v2v takes the firmware from the definition, not from the disks: the converted machine finds nothing to boot. Anyone who only copies
    the disks is misled by the definition.

    ## References
    - virt-v2v `convert.ml` looks at the disks only when the source states no firmware
    """

    severity = Severity.WARNING
    stage = Stage.FIRMWARE
    since = "0.1"
    examples = (
        Example(_LOADER, given=(_UEFI, sample_vmx('firmware = "bios"\n')), flags=("guest.vmx:1",), severity=Severity.WARNING),
        Example(_LOADER, given=(_UEFI, sample_domain("")), mover=Mover.VIRT_V2V, flags=("guest.xml",), severity=Severity.ERROR),
        Example({"/etc/hostname": "x"}, given=(_BIOS, sample_vmx('firmware = "efi"\n')), flags=("guest.vmx:1",)),
        Example(_LOADER, given=(_UEFI, sample_vmx('firmware = "efi"\n'))),
        Example({"/etc/hostname": "x"}, given=(_BIOS, sample_vmx(""))),
        Example(_LOADER, given=(BlockTable((*_BIOS.devices, _ESP)), sample_vmx("")), title="starts from both"),
    )

    def check(self, verdict: FirmwareVerdict, definition: Definition, firmware: Firmware) -> Iterator[Finding]:
        if not firmware.only:
            raise NotApplicable("the disks do not show which firmware they need")
        for cause in verdict.defined:
            effect = "virt-v2v creates a machine with the other firmware, which finds nothing to boot"
            if cause.severity is not Severity.ERROR:
                effect = f"define it with {firmware.only.upper()} on the target: with the other firmware there is nothing to boot"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
