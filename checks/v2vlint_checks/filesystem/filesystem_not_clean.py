"""Rule filesystem-not-clean."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Rule, Severity

_JOURNALED = ("ext2", "ext3", "ext4", "xfs", "btrfs")


def _part(fs_type: str, **details: str) -> BlockDevice:
    return BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, fs_type, "0f3c-77", details=tuple(details.items()))


class FilesystemNotClean(Rule):
    """A filesystem was not unmounted: the guest was running, or had crashed, when its disk was copied.

    ## What it does
    Looks for ext, XFS and btrfs filesystems with a journal, log or log tree that the next mount replays, and ext2 filesystems not marked
    clean.

    ## Why it matters
    The copy is like a machine after a power failure: the journal repairs the filesystem at the next mount, but data that programs had not
    written yet is lost, and databases may need recovery. Boot loaders do not replay journals: a kernel or menu written shortly before is
    not there for them, and the forecast reads the boot loader's files the same way. Copy the disk of a guest that was shut down.

    ## References
    - virt-v2v `convert/convert.ml`, `do_fsck`: it replays journals and checks before converting
    - ext4(5), tune2fs(8); GRUB `grub-core/fs/ext2.c`, `xfs.c` and `btrfs.c`, which do not support journals
    """

    severity = Severity.INFO
    since = "0.1"
    predicts = (r"UNEXPECTED INCONSISTENCY", r"requires a manual fsck")
    examples = (
        Example({}, given=(BlockTable((_part("ext4", clean="yes", needs_recovery="yes"),)),), flags=("disk1p1",), severity=Severity.INFO),
        Example({}, given=(BlockTable((_part("ext2", version="1"),)),), flags=("disk1p1",)),
        Example({}, given=(BlockTable((_part("xfs", version="5", dirty_log="yes"),)),), flags=("disk1p1",)),
        Example({}, given=(BlockTable((_part("btrfs", dirty_log="yes"),)),), flags=("disk1p1",)),
        Example({}, given=(BlockTable((_part("ext4", clean="yes"), _part("xfs", version="5"), _part("swap"))),)),
    )

    def check(self, blocks: BlockTable) -> Iterator[Finding]:
        for device in blocks:
            if device.fs_type not in _JOURNALED or not device.details:
                continue
            replay = "yes" in (device.detail("needs_recovery"), device.detail("dirty_log"))
            if replay or (device.fs_type == "ext2" and device.detail("clean") != "yes"):
                message = f"{device.fs_type} on {device.name} was not unmounted"
                effect = "the journal is replayed at the next mount" if replay else "fsck checks it at the next boot"
                yield self.finding(Device(device.name), message, f"{effect}; unwritten data is lost")
