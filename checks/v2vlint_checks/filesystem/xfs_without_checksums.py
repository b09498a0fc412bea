"""Rule xfs-without-checksums."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Conversion,
    Device,
    Example,
    Finding,
    Mover,
    Rule,
    Severity,
)


def _xfs(version: str) -> BlockDevice:
    return BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "xfs", "0f3c-77", details=(("version", version),))


class XfsWithoutChecksums(Rule):
    """An XFS filesystem has the old format without checksums.

    ## What it does
    Finds XFS filesystems of version 4 (`crc=0`), made by Red Hat Enterprise Linux 7.2 and earlier, and others of that time.

    ## Why it matters
    The guest itself mounts it. Kernels of newer conversion appliances and hosts are built without this format, so virt-v2v and libguestfs
    cannot open the filesystem. It cannot be converted in place.

    ## References
    - Forklift commit e1fbdca9a (MTV-5595): a separate appliance for such guests
    - kernel `Documentation/admin-guide/xfs.rst`, "Deprecation"
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({}, given=(BlockTable((_xfs("4"),)),), flags=("disk1p1",), severity=Severity.INFO),
        Example({}, given=(BlockTable((_xfs("4"),)),), mover=Mover.VIRT_V2V, flags=("disk1p1",), severity=Severity.WARNING),
        Example({}, given=(BlockTable((_xfs("5"),)),)),
    )

    def check(self, blocks: BlockTable, conversion: Conversion) -> Iterator[Finding]:
        converted = conversion.by_virt_v2v
        effect = "a conversion appliance with a newer kernel cannot mount it" if converted else "the guest mounts it; newer tools may not"
        severity = Severity.WARNING if converted else Severity.INFO
        for device in blocks:
            if device.fs_type == "xfs" and device.detail("version") == "4":
                message = f"XFS on {device.name} has format version 4, without checksums"
                yield self.finding(Device(device.name), message, effect, severity=severity)
