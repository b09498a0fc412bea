"""Rule windows-unread-volume."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Hive, Rule, Severity

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_SPACES = "e75caf8f-f680-4cee-afa3-b001e56efc2d"


def _disk(fs_type: str, part_type: str = "") -> BlockTable:
    part = BlockDevice("disk2p1", "partition", 1 << 29, 1, 1, fs_type, part_type=part_type)
    return BlockTable((BlockDevice("disk2", "disk", 1 << 30, 1), part))


class WindowsUnreadVolume(Rule):
    """A disk belongs to a storage pool, or a volume has a filesystem, that v2vlint does not read.

    ## What it does
    Finds partitions of Storage Spaces and ReFS volumes.

    ## Why it matters
    Their content is not judged. A Storage Spaces pool comes up only with enough of its disks, so moving only the system disk
    leaves it incomplete. ReFS volumes need a Windows that supports their version.

    ## References
    - Microsoft, "Storage Spaces overview", "Resilient File System (ReFS) overview"
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example(dict(_SYSTEM), given=(_disk("", _SPACES),), flags=("disk2p1",), severity=Severity.WARNING),
        Example(dict(_SYSTEM), given=(_disk("ReFS"),), flags=("disk2p1",), severity=Severity.INFO),
        Example(dict(_SYSTEM), given=(_disk("ntfs"),)),
    )

    def check(self, blocks: BlockTable) -> Iterator[Finding]:
        for device in blocks:
            if device.part_type.lower() == _SPACES:
                effect = "the pool comes up only with enough of its disks, and its content is not judged"
                message = f"{device.name} is part of a Storage Spaces pool"
                yield self.finding(Device(device.name), message, effect, severity=Severity.WARNING)
            elif device.fs_type == "ReFS":
                yield self.finding(Device(device.name), f"{device.name} is a ReFS volume", "its content is neither read nor judged")
