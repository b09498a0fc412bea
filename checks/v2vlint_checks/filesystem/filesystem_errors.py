"""Rule filesystem-errors."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Conversion,
    Device,
    Example,
    Finding,
    Rule,
    Severity,
)


def _part(fs_type: str, **details: str) -> BlockDevice:
    return BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, fs_type, "0f3c-77", details=tuple(details.items()))


class FilesystemErrors(Rule):
    """A filesystem is marked as damaged.

    ## What it does
    Looks for the error flag in ext superblocks and the needs-repair flag in XFS superblocks.

    ## Why it matters
    The kernel found damage while the guest ran. fsck runs at the next boot and may stop and ask; XFS refuses to mount until it is
    repaired. virt-v2v checks ext4 and XFS filesystems first, and stops with an error when it finds damage.

    ## References
    - virt-v2v `convert/convert.ml`, `do_fsck`
    - e2fsck(8), xfs_repair(8)
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"detected errors on the \S+ filesystem",)
    examples = (
        Example({}, given=(BlockTable((_part("ext4", clean="yes", errors="yes"),)),), flags=("disk1p1",), severity=Severity.WARNING),
        Example({}, given=(BlockTable((_part("xfs", version="5", needs_repair="yes"),)),), flags=("disk1p1",)),
        Example({}, given=(BlockTable((_part("ext4", clean="yes"), _part("xfs", version="5"))),)),
    )

    def check(self, blocks: BlockTable, conversion: Conversion) -> Iterator[Finding]:
        effect = "virt-v2v may refuse the guest" if conversion.by_virt_v2v else "boot may stop to repair it"
        for device in blocks:
            if device.detail("errors") == "yes" or device.detail("needs_repair") == "yes":
                yield self.finding(Device(device.name), f"{device.fs_type} on {device.name} is marked as damaged", effect)
