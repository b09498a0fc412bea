"""Rule crypttab-hardware-path."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    CrypttabEntry,
    Devices,
    Example,
    Finding,
    Fix,
    MountsVerdict,
    ReplaceText,
    RootVerdict,
    Rule,
    Severity,
    Stage,
)

_PATH = "/dev/disk/by-id/scsi-36000c29d1-part2"
_BLOCKS = BlockTable(
    (BlockDevice("disk1", "disk", 2 << 30, 0), BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99"))
)


class CrypttabHardwarePath(Rule):
    """A crypttab entry names a disk by its controller's slot or its serial number.

    ## What it does
    Finds crypttab sources below `/dev/disk/by-path`, and those in `/dev/disk/by-id` that are built from hardware identifiers.

    ## Why it matters
    The link does not exist on the target, the mapping is not set up, and what is on it is missing: the root filesystem, or mounts that
    boot waits for. virt-v2v leaves such entries alone.

    ## Fix safety
    Safe: the UUID is read from the LUKS header of the partition with the number in the link, when the guest has a single disk.

    ## References
    - virt-v2v `convert/convert_linux.ml`, `remap_block_devices`
    - crypttab(5)
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    examples = (
        Example(
            {"/etc/crypttab": f"root {_PATH} none luks\n", "/etc/fstab": "/dev/mapper/root / xfs defaults 0 1\n"},
            given=(_BLOCKS,),
            flags=("/etc/crypttab:1",),
            severity=Severity.ERROR,
            fixed={"/etc/crypttab": "root UUID=4a2e-99 none luks\n"},
        ),
        Example({"/etc/crypttab": f"data {_PATH} none luks,nofail\n"}, flags=("/etc/crypttab:1",), severity=Severity.WARNING),
        Example({"/etc/crypttab": f"data /dev/disk/by-uuid/77 none luks\n# x {_PATH} none luks\ny {_PATH} none noauto\n"}),
    )

    def check(self, mounts: MountsVerdict, root: RootVerdict, devices: Devices) -> Iterator[Finding]:
        early = {cause.where for cause in root.early}
        for cause in mounts.mapped_hardware:
            mapped = cause.about
            if cause.where in early:
                continue  # crypttab-device-name tells that the initramfs looks for it
            waits = (
                "boot stops while waiting for what is on it" if mapped.needed else "boot waits 90 s for it, and what is on it is missing"
            )
            yield self.finding(cause.where, cause.reason, waits, severity=cause.severity, fix=_by_uuid(mapped.entry, devices))


def _by_uuid(entry: CrypttabEntry, devices: Devices) -> Fix | None:
    lasting = devices.lasting(entry.device, "crypto_LUKS")
    if lasting is None:
        return None
    edit = ReplaceText(entry.source.where, entry.source.value, lasting.text)
    return Fix(f"unlock {entry.name} by UUID", Applicability.SAFE, (edit,))
