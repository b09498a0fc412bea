"""Rule windows-boot-entry."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BcdEntry,
    BlockDevice,
    BlockTable,
    Content,
    Example,
    Finding,
    Fix,
    GuestFS,
    Hive,
    Rule,
    Severity,
    Stage,
    WindowsEntryVerdict,
    WindowsStart,
    set_value,
    sz,
)

_STORE = "/esp/EFI/Microsoft/Boot/BCD"
_PATH = "Objects\\{1}\\Elements\\12000002"
_BCD = rf"""
[Objects\{{9dea862c-5cdd-4e70-acc1-f32b344d4795}}\Elements\23000003]
"Element"="{{1}}"
[{_PATH}]
"Element"="\\Windows\\System32\\winload.exe"
"""
_BASE: dict[str, Content] = {
    "/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"),
    "/Windows/System32/winload.efi": b"MZ",
    "/Windows/System32/winload.exe": b"MZ",
    "/esp/EFI/Microsoft/Boot/bootmgfw.efi": b"MZ bootmgfw",
}
_XP: dict[str, Content] = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"), "/ntldr": b"NTLDR"}
_INI = "[boot loader]\ndefault=multi(0)disk(0)rdisk(0)partition({})\\WINDOWS\n"
_DISK = BlockTable((BlockDevice("disk1", "disk", 1 << 33, 0), BlockDevice("disk1p1", "partition", 1 << 32, 0, 1, "ntfs", "A1")))


class WindowsBootEntry(Rule):
    """The default entry of Windows' boot configuration cannot start Windows.

    ## What it does
    Reads the default entry of the BCD: whether its partition is on one of the disks, whether its loader exists there, and whether it is
    for the boot manager's firmware (`winload.efi` for UEFI, `winload.exe` for a BIOS). For Windows XP and 2003 it follows the
    default of `boot.ini` (`multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS`) to a partition and folder.

    ## Why it matters
    The boot manager stops with 0xc000000e (no such device), 0xc000000f or 0xc0000034 (no such file), or 0xc0000225, before Windows starts;
    NTLDR reports that a file is missing or corrupt: `hal.dll`, or `ntoskrnl.exe`.

    ## Fix safety
    Safe: the path gets the other extension if that loader exists beside the one named. The partition is never changed.

    ## References
    - Microsoft, "Windows boot error 0xc000000e" and "BCD System Store Settings for UEFI"
    """

    severity = Severity.ERROR
    stage = Stage.ENTRY
    since = "0.2"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)0xc000000e", r"(?i)0xc000000f", r"(?i)0xc0000034", r"(?i)0xc0000225", r"(?i)winload\.(exe|efi)")
    examples = (
        Example(
            {**_BASE, _STORE: Hive(_BCD)},
            flags=(f"{_STORE}:{_PATH}:Element",),
            severity=Severity.ERROR,
            fixed={_STORE: Hive(_BCD.replace("winload.exe", "winload.efi"))},
            title="the UEFI boot manager starts the BIOS loader",
        ),
        Example({**_BASE, _STORE: Hive(_BCD.replace("winload.exe", "winload.efi"))}),
        Example(
            {**_XP, "/boot.ini": _INI.format(2)}, given=(_DISK,), uuid="A1", flags=("/boot.ini:2",), severity=Severity.ERROR, title="NTLDR"
        ),
        Example({**_XP, "/boot.ini": _INI.format(1)}, given=(_DISK,), uuid="A1"),
    )

    def check(self, entry: WindowsEntryVerdict, start: WindowsStart, fs: GuestFS) -> Iterator[Finding]:
        for cause in entry.default:
            if cause.severity is not None:
                effect = "the boot manager stops with an error before Windows starts"
                fix = _fix(cause.about, fs, "efi" if start.boot.uefi else "exe") if cause.about else None
                yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix)


def _fix(entry: BcdEntry, fs: GuestFS, ending: str) -> Fix | None:
    """The loader for this firmware, if it exists beside the one for the other."""
    stem, _dot, named = entry.loader.rpartition(".")
    other = f"{stem}.{ending}"
    if entry.loader_value is None or named.lower() == ending or not fs.as_it_lies().is_file(other.replace("\\", "/")):
        return None
    return Fix(f"start {other}", Applicability.SAFE, (set_value(entry.loader_at, sz(other), entry.loader_value),))
