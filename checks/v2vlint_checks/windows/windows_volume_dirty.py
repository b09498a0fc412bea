"""Rule windows-volume-dirty."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Conversion,
    Device,
    Example,
    Finding,
    Hive,
    Mover,
    Rule,
    Severity,
)

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}


def _ntfs(*details: tuple[str, str]) -> BlockTable:
    return BlockTable((BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "ntfs", "0A", details=details),))


class WindowsVolumeDirty(Rule):
    """An NTFS volume was not unmounted cleanly.

    ## What it does
    Reads the dirty flag in `$Volume` of every NTFS volume.

    ## Why it matters
    Windows checks the volume at its next boot. Until then its files may be inconsistent; virt-v2v can mount the volume only read-only and
    gives up.

    ## References
    - virt-v2v(1), "Windows Hibernation or Fast Startup"; virt-v2v `convert/mount_filesystems.ml`
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)filesystem was mounted read-only",)
    examples = (
        Example(dict(_SYSTEM), given=(_ntfs(("dirty", "yes")),), flags=("disk1p2",), severity=Severity.WARNING),
        Example(dict(_SYSTEM), given=(_ntfs(("dirty", "yes")),), mover=Mover.VIRT_V2V, flags=("disk1p2",)),
        Example(dict(_SYSTEM), given=(_ntfs(("version", "3.1")),)),
    )

    def check(self, blocks: BlockTable, conversion: Conversion) -> Iterator[Finding]:
        for device in blocks:
            if device.fs_type == "ntfs" and device.detail("dirty"):
                effect = (
                    "virt-v2v can mount it only read-only and gives up" if conversion.by_virt_v2v else "Windows checks it at the next boot"
                )
                yield self.finding(
                    Device(device.name), f"the NTFS volume on {device.name} is marked dirty", f"{effect}; shut the guest down cleanly"
                )
