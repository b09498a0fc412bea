"""Rule windows-page-file."""

import struct
from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Example, Finding, Hive, Rule, Severity, WindowsIdentity

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = "ControlSet001\\Control\\Session Manager\\Memory Management"
_DISK = BlockTable(
    (
        BlockDevice("disk1", "disk", 1 << 35, 0, details=(("pt", "dos"), ("pt_uuid", "0a0b0c0d"))),
        BlockDevice("disk1p1", "partition", 1 << 34, 0, 1, "ntfs", details=(("start", str(1 << 20)),)),
    )
)


def _hive(letter: str) -> Hive:
    own, other = (struct.pack("<IQ", signature, 1 << 20).hex(",") for signature in (0x0A0B0C0D, 0x99999999))
    return Hive(f"""
[MountedDevices]
"\\\\DosDevices\\\\C:"=hex:{own}
"\\\\DosDevices\\\\D:"=hex:{other}
[{_KEY}]
"PagingFiles"=multi:"{letter}:\\\\pagefile.sys 0 0"
""")


class WindowsPageFile(Rule):
    """A Windows page file is on a drive that is on none of the disks.

    ## What it does
    Compares `PagingFiles` with the drive letters, and those with the partitions that exist.

    ## Why it matters
    Windows creates a small temporary page file on its own drive and says so at every logon; crash dumps are not written. Typical examples
    are Azure's temporary disk and a disk that was not passed to v2vlint.

    ## References
    - Microsoft, "How to determine the appropriate page file size"; "Azure temporary disk"
    """

    severity = Severity.WARNING
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: _hive("D")}, given=(_DISK,), flags=(f"{_SYSTEM}:{_KEY}:PagingFiles",), severity=Severity.WARNING),
        Example({_SYSTEM: _hive("C")}, given=(_DISK,)),
        Example({_SYSTEM: _hive("?")}, given=(_DISK,), title="Windows chooses the drive"),
        Example({_SYSTEM: _hive("D")}, title="nothing is known of the disks"),
    )

    def check(self, identity: WindowsIdentity) -> Iterator[Finding]:
        for letter, where in identity.lost_page_files:
            effect = "Windows creates a temporary one on its own drive, without room for crash dumps"
            yield self.finding(where, f"a page file is on {letter}:, which is on none of these disks", effect)
