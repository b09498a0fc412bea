"""Rule windows-efi-fallback."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Content,
    CopyFile,
    Example,
    Fate,
    Finding,
    Firmware,
    FirmwareVerdict,
    Fix,
    Hive,
    Mover,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Target,
    Unknown,
    WindowsBoot,
    WindowsLoaderVerdict,
    sample_chain,
)

_MANAGER = "/esp/EFI/Microsoft/Boot/bootmgfw.efi"
_BASE: dict[str, Content] = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"), _MANAGER: b"MZ bootmgfw"}
_GPT = (("pt", "gpt"),)
_ESP = BlockDevice("disk1p1", "partition", 1 << 27, 0, 1, "vfat", "E5E5-0001", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_DISK = BlockTable((BlockDevice("disk1", "disk", 1 << 33, 0, details=_GPT), _ESP), chains=(sample_chain("none"),))


class WindowsEfiFallback(Rule):
    r"""The program at UEFI's fallback path is not Windows' boot manager.

    ## What it does
    For guests that boot with UEFI: compares `\EFI\BOOT\BOOTX64.EFI` with `\EFI\Microsoft\Boot\bootmgfw.efi`. An older version of the boot
    manager is fine.

    ## Why it matters
    The entry "Windows Boot Manager" lives in the firmware's NVRAM, which stays behind. Without a fallback loader the firmware ends in its
    shell; with one left by a Linux that shared the disk, it starts GRUB.

    ## Fix safety
    Safe: the boot manager is copied only if no file is there. Another system's loader is left alone.

    ## References
    - virt-v2v repairs it: commit 9d4b58dc (RHBZ#2149629), `convert/convert_windows.ml`
    - UEFI specification, section 3.5.1.1
    """

    severity = Severity.ERROR
    stage = Stage.LOADER
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)UEFI Interactive Shell", r"(?i)^grub>")
    examples = (
        Example(
            dict(_BASE),
            given=(_DISK,),
            flags=("/esp/EFI",),
            severity=Severity.ERROR,
            fixed={"/esp/EFI/Boot/bootx64.efi": b"MZ bootmgfw"},
            title="no fallback at all",
        ),
        Example(
            {**_BASE, "/esp/EFI/Boot/bootx64.efi": b"MZ UEFI SHIM"},
            given=(_DISK,),
            flags=("/esp/EFI/Boot/bootx64.efi",),
            severity=Severity.ERROR,
            title="left from a Linux",
        ),
        Example(dict(_BASE), given=(_DISK,), mover=Mover.VIRT_V2V, flags=("/esp/EFI",), severity=Severity.INFO),
        Example(
            {**_BASE, "/esp/EFI/Boot/bootx64.efi": b"MZ UEFI SHIM"},
            given=(BlockTable((*_DISK.devices, BlockDevice("disk1p5", "partition", 1 << 32, 0, 5, "ext4", "1c7e"))),),
            flags=("/esp/EFI/Boot/bootx64.efi",),
            severity=Severity.WARNING,
            title="a Linux shares the disk, and may start Windows from its menu",
        ),
        Example({**_BASE, "/esp/EFI/Boot/bootx64.efi": b"MZ something else"}, given=(_DISK,), unknown=True),
        Example({**_BASE, "/esp/EFI/Boot/bootx64.efi": b"MZ bootmgfw"}, given=(_DISK,)),
        Example({**_BASE, "/esp/EFI/Boot/BOOTX64.EFI": b"MZ older bootmgfw.pdb"}, given=(_DISK,), title="an older boot manager"),
    )

    def check(
        self, first: FirmwareVerdict, loader: WindowsLoaderVerdict, boot: WindowsBoot, firmware: Firmware, target: Target
    ) -> Iterator[Finding | Unknown]:
        if not boot.uefi or firmware.bios or "uefi" not in target.firmware:
            raise NotApplicable("it does not boot with UEFI")
        for absent in first.fallback if boot.manager else ():
            if absent.severity is None:
                yield self.unknown(absent.where, absent.reason)
                continue
            effect, fix = _told(absent.severity, "the firmware does not start Windows"), _copied(boot)
            message = "there is no fallback loader, and only the source's NVRAM knows where the boot manager is"
            yield self.finding(absent.where, message, effect, severity=absent.severity, fix=fix, stage=Stage.FIRMWARE)
        for cause in loader.fallback:
            if (image := cause.about) is None:
                yield self.unknown(cause.where, cause.reason)
                continue
            effect = _told(cause.severity, f"the firmware starts {image.kind} in place of Windows")
            effect += ", unless its menu offers Windows" if cause.fate is Fate.UNKNOWN else ""
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)


def _told(severity: Severity | None, effect: str) -> str:
    return f"virt-v2v copies the boot manager there; after a raw copy {effect}" if severity is Severity.INFO else effect


def _copied(boot: WindowsBoot) -> Fix:
    # From EFI/Microsoft/Boot/bootmgfw.efi three levels up, to EFI.
    copy = CopyFile(boot.manager, f"{boot.manager.rsplit('/', 3)[0]}/Boot/bootx64.efi")
    return Fix("copy the boot manager to the fallback path", Applicability.SAFE, (copy,))
