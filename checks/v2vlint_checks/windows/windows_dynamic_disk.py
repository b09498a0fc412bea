"""Rule windows-dynamic-disk."""

from collections.abc import Iterator

from v2vlint.api import (
    LDM_TYPES,
    BlockDevice,
    BlockTable,
    Conversion,
    Device,
    Example,
    Finding,
    Hive,
    Mover,
    RootStack,
    Rule,
    Severity,
)

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_DISK = BlockDevice("disk2", "disk", 1 << 30, 1)
_PART = BlockDevice("disk2p1", "partition", 1 << 29, 1, 1, "ldm_member", part_type="0x42", parents=("disk2",))
_VOLUME = BlockDevice("ldm_vol_PC-Dg0_Volume1", "ldm", 1 << 28, 1, 0, "ntfs", "0A", parents=("disk2",))


class WindowsDynamicDisk(Rule):
    """A disk is dynamic: it is managed by Windows' Logical Disk Manager.

    ## What it does
    Finds partitions of the Logical Disk Manager in MBR and GPT tables, and whether Windows itself is on one of its volumes.

    ## Why it matters
    Volumes that span several dynamic disks come up only when all of them are present, and Windows may treat them as foreign and leave them
    offline. Converters do not convert a system on such volumes.

    ## References
    - virt-v2v(1), RHBZ#2140548: a system disk that is dynamic cannot be converted, data disks can.
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            dict(_SYSTEM),
            given=(BlockTable((_DISK, BlockDevice("disk2p1", "partition", 1 << 29, 1, 1, part_type="0x42", parents=("disk2",)))),),
            flags=("disk2",),
        ),
        Example(
            dict(_SYSTEM),
            given=(BlockTable((_DISK, _PART, _VOLUME)), RootStack("ntfs", _VOLUME, (_VOLUME,))),
            mover=Mover.VIRT_V2V,
            flags=("disk2",),
            severity=Severity.WARNING,
            title="Windows itself is on one",
        ),
        Example(
            dict(_SYSTEM),
            given=(BlockTable((_DISK, BlockDevice("disk2p1", "partition", 1 << 29, 1, 1, "ntfs", part_type="0x07", parents=("disk2",)))),),
        ),
    )

    def check(self, blocks: BlockTable, stack: RootStack, conversion: Conversion) -> Iterator[Finding]:
        dynamic = {device.disk for device in blocks if device.part_type in LDM_TYPES or device.fs_type == "ldm_member"}
        system = {name for volume in stack.of_kind("ldm") for name in volume.parents}
        for disk in blocks.disks:
            if disk.name in system and conversion.by_virt_v2v:
                effect = "virt-v2v does not convert a system on a dynamic disk; make it a basic disk before the move"
                yield self.finding(
                    Device(disk.name), f"{disk.name}, with Windows on it, is a dynamic disk", effect, severity=Severity.WARNING
                )
            elif disk.disk in dynamic:
                effect = "its volumes may come up offline; bring them online, or import them, in Disk Management"
                yield self.finding(Device(disk.name), f"{disk.name} is a dynamic disk", effect)
