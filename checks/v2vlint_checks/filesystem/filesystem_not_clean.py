"""Rule filesystem-not-clean."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Rule, Severity

_EXT = ("ext2", "ext3", "ext4")


def _part(fs_type: str, **details: str) -> BlockDevice:
    return BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, fs_type, "0f3c-77", details=tuple(details.items()))


class FilesystemNotClean(Rule):
    """A filesystem was not unmounted: the guest was running, or crashed, when its disk was taken.

    ## What it does
    Looks for ext filesystems that need their journal replayed, and ext2 filesystems not marked clean.

    ## Why it matters
    The copy is like that of a machine whose power failed: the journal repairs the filesystem at the next mount, but what programs had
    not written yet is lost, and databases may need recovery. Take the disk of a guest that was shut down.

    ## References
    - virt-v2v `convert/convert.ml`, `do_fsck`: it replays journals and checks before converting
    - ext4(5), tune2fs(8)
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({}, given=(BlockTable((_part("ext4", clean="yes", needs_recovery="yes"),)),), flags=("disk1p1",), severity=Severity.INFO),
        Example({}, given=(BlockTable((_part("ext2", version="1"),)),), flags=("disk1p1",)),
        Example({}, given=(BlockTable((_part("ext4", clean="yes"), _part("xfs", version="5"), _part("swap"))),)),
    )

    def check(self, blocks: BlockTable) -> Iterator[Finding]:
        for device in blocks:
            if device.fs_type not in _EXT or not device.details:
                continue
            replay = device.detail("needs_recovery") == "yes"
            if replay or (device.fs_type == "ext2" and device.detail("clean") != "yes"):
                message = f"{device.fs_type} on {device.name} was not unmounted"
                effect = "the journal is replayed at the next mount" if replay else "fsck checks it at the next boot"
                yield self.finding(Device(device.name), message, f"{effect}; what was not written yet is lost")
