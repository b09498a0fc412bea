"""Rule windows-boot-sector-heads."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Device,
    Example,
    Finding,
    Hive,
    Mover,
    NotApplicable,
    OsInfo,
    Refusals,
    RootStack,
    Rule,
    Severity,
    Target,
)

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_XP = OsInfo("windows", "windows", "windows", "Windows XP", "5.1.2600", "i386")
_DISK = BlockDevice("disk1", "disk", 40 << 30, 0)


def _given(heads: str) -> tuple[object, ...]:
    part = BlockDevice("disk1p1", "partition", 39 << 30, 0, 1, "ntfs", "0A", parents=("disk1",), details=(("heads", heads),))
    return (_XP, BlockTable((_DISK, part)), RootStack("ntfs", part))


class WindowsBootSectorHeads(Rule):
    """The NTFS boot sector of Windows XP or 2003 states a wrong number of heads for the disk.

    ## What it does
    Compares the heads in the boot sector with those that a BIOS reports for a disk of this size.

    ## Why it matters
    The boot code of these versions reads the disk by cylinder, head and sector. With a wrong number it reads the wrong sectors: "A disk
    read error occurred".

    ## References
    - virt-v2v corrects it: `convert/convert_windows.ml`, `fix_ntfs_heads`
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)a disk read error occurred",)
    examples = (
        Example(dict(_SYSTEM), given=_given("16"), flags=("disk1p1 boot sector",), severity=Severity.WARNING),
        Example(dict(_SYSTEM), given=_given("16"), mover=Mover.VIRT_V2V, flags=("disk1p1 boot sector",), severity=Severity.INFO),
        Example(dict(_SYSTEM), given=_given("255")),
        Example(dict(_SYSTEM), given=_given("16")[1:], title="Windows 10 does not read it"),
    )

    def check(self, os: OsInfo, blocks: BlockTable, stack: RootStack, target: Target, refusals: Refusals) -> Iterator[Finding]:
        device = stack.device
        if os.major != 5 or device is None or not device.detail("heads").isdigit():
            raise NotApplicable("not Windows XP or 2003 on a known disk")
        size = next((disk.size for disk in blocks.disks if disk.disk == device.disk), 0)
        heads, wanted = int(device.detail("heads")), _heads(size)
        if target.bios == "seabios" and heads != wanted:
            repaired = refusals.converts
            effect = f"{'virt-v2v corrects it; after a raw copy ' if repaired else ''}the boot may stop with 'A disk read error occurred'"
            message = f"the boot sector states {heads} heads, but a disk of this size has {wanted}"
            severity = Severity.INFO if repaired else Severity.WARNING
            yield self.finding(Device(device.name, "boot sector"), message, effect, severity=severity)


def _heads(size: int) -> int:
    """The heads that a BIOS with LBA-assisted translation reports for a disk of ``size`` bytes; see virt-v2v's table."""
    if size < 2114445312:
        return 64
    return 128 if size < 4228374780 else 255
