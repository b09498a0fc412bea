"""Rule windows-boot-entry."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BcdEntry,
    Content,
    Example,
    Finding,
    Fix,
    GuestFS,
    Hive,
    Rule,
    Severity,
    Stage,
    WindowsBoot,
    WindowsEntryVerdict,
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


class WindowsBootEntry(Rule):
    """The default entry of Windows' boot configuration starts nothing.

    ## What it does
    Reads the default entry of the BCD: whether its partition is on one of the disks, its loader exists there, and is the one for the
    firmware that the boot manager belongs to (`winload.efi` for UEFI, `winload.exe` for a BIOS).

    ## Why it matters
    The boot manager stops with 0xc000000e (no such device), 0xc000000f or 0xc0000034 (no such file), or 0xc0000225, before Windows starts.

    ## Fix safety
    Safe: the path gets the other ending, where that loader lies beside the one that is named. A partition is not chosen for you.

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
    )

    def check(self, entry: WindowsEntryVerdict, boot: WindowsBoot, fs: GuestFS) -> Iterator[Finding]:
        for cause in entry.default:
            if cause.severity is not None and cause.about is not None:
                effect = "the boot manager stops with an error before Windows starts"
                yield self.finding(
                    cause.where, cause.reason, effect, severity=cause.severity, fix=_fix(cause.about, fs, "efi" if boot.uefi else "exe")
                )


def _fix(entry: BcdEntry, fs: GuestFS, ending: str) -> Fix | None:
    """The loader for this firmware, where it lies beside the one for the other."""
    stem, _dot, named = entry.loader.rpartition(".")
    other = f"{stem}.{ending}"
    if entry.loader_value is None or named.lower() == ending or not fs.is_file(other.replace("\\", "/")):
        return None
    return Fix(f"start {other}", Applicability.SAFE, (set_value(entry.loader_at, sz(other), entry.loader_value),))
