"""Rule boot-disk-not-first."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    FirmwareVerdict,
    Mover,
    Rule,
    Severity,
    Stage,
    sample_chain,
    sample_domain,
)

_EMPTY = BlockDevice("disk1", "disk", 2 << 30, 0)
_GRUB = BlockDevice("disk2", "disk", 2 << 30, 1, details=(("pt", "dos"),))
_LATER = BlockTable((_EMPTY, _GRUB), chains=(sample_chain("none"), sample_chain(disk=1)))
_ORDERED = "<disk device='disk'><target dev='vdb'/><boot order='1'/></disk>"
_BOTH = BlockTable((_EMPTY, _GRUB), chains=(sample_chain(), sample_chain(disk=1)))


class BootDiskNotFirst(Rule):
    """The guest does not start from its first disk.

    ## What it does
    Finds guests with several disks whose boot code (BIOS) or EFI system partition (UEFI) is on a later disk, and nothing on the first; and
    machines whose definition starts a later disk (libvirt's `<boot order=…/>`, VMware's `bios.hddOrder`) while the first has boot code too.

    ## Why it matters
    Hypervisors start the first disk unless the boot order says otherwise: SeaBIOS jumps into its empty boot sector or finds nothing to
    boot, OVMF ends in its shell. A cloud import designates the disk that holds the system.

    ## References
    - virt-v2v commits ca6ec631 and 06fa7bf0 (RHEL-108991): it looks for GRUB's signature and sets the boot order.
    - forklift commit a173343e7 (MTV-4165)
    - Broadcom article 326326 (`bios.hddOrder`); libvirt.org/formatdomain.html, per-device boot elements
    """

    severity = Severity.ERROR
    stage = Stage.FIRMWARE
    kinds = frozenset({"linux", "windows"})
    since = "0.1"
    examples = (
        Example({"/etc/hostname": "x"}, given=(_LATER,), flags=("disk2 boot sector",), severity=Severity.ERROR),
        Example(
            {"/etc/hostname": "x"},
            given=(_LATER,),
            mover=Mover.VIRT_V2V,
            flags=("disk2 boot sector",),
            severity=Severity.INFO,
        ),
        Example({"/etc/hostname": "x"}, given=(_BOTH,)),
        Example(
            {"/etc/hostname": "x"},
            given=(_BOTH, sample_domain("<disk device='disk'><target dev='vda'/></disk>\n", disk=_ORDERED)),
            flags=("guest.xml:4",),
            severity=Severity.WARNING,
            title="the definition starts the second one",
        ),
    )

    def check(self, firmware: FirmwareVerdict) -> Iterator[Finding]:
        for cause in firmware.order:
            fixed = cause.severity is Severity.INFO
            effect = "virt-v2v sets the boot order" if fixed else "nothing boots unless the boot order names that disk"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
        for cause in firmware.other_start:
            effect = "what that disk starts may be an older system or a copy"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
