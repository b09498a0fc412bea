"""Rule windows-efi-fallback."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Content,
    CopyFile,
    Example,
    Finding,
    Firmware,
    Fix,
    Hive,
    Mover,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Target,
    Unknown,
    WholeFile,
    WindowsBoot,
)

_MANAGER = "/esp/EFI/Microsoft/Boot/bootmgfw.efi"
_FOLDER = "/esp/EFI/Boot"
_BASE: dict[str, Content] = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"), _MANAGER: b"MZ bootmgfw"}
_GPT = (("pt", "gpt"), ("boot_code", "none"))
_ESP = BlockDevice("disk1p1", "partition", 1 << 27, 0, 1, "vfat", "E5E5-0001", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_LINUX = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "LVM2_member", "crypto_LUKS"})
_DISK = BlockTable((BlockDevice("disk1", "disk", 1 << 33, 0, details=_GPT), _ESP))


class WindowsEfiFallback(Rule):
    r"""The program that every UEFI firmware starts by itself is not Windows' boot manager.

    ## What it does
    For guests that start with UEFI: compares `\EFI\BOOT\BOOTX64.EFI` with `\EFI\Microsoft\Boot\bootmgfw.efi`. An older version of the boot
    manager is as good.

    ## Why it matters
    The entry "Windows Boot Manager" lives in the firmware's NVRAM, which stays behind. Without a fallback the firmware ends in its shell;
    with one left from a Linux that shared the disk, in GRUB's.

    ## Fix safety
    Safe: the boot manager is copied to where nothing is. A loader of another system is left alone.

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
            flags=(_FOLDER,),
            severity=Severity.ERROR,
            fixed={f"{_FOLDER}/bootx64.efi": b"MZ bootmgfw"},
            title="no fallback at all",
        ),
        Example(
            {**_BASE, "/esp/EFI/Boot/bootx64.efi": b"MZ UEFI SHIM"},
            given=(_DISK,),
            flags=("/esp/EFI/Boot/bootx64.efi",),
            severity=Severity.ERROR,
            title="left from a Linux",
        ),
        Example(dict(_BASE), given=(_DISK,), mover=Mover.VIRT_V2V, flags=("/esp/EFI/Boot",), severity=Severity.INFO),
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

    def check(self, boot: WindowsBoot, firmware: Firmware, blocks: BlockTable, target: Target, mover: Mover) -> Iterator[Finding | Unknown]:
        if not boot.uefi or firmware.bios or "uefi" not in target.firmware:
            raise NotApplicable("it does not start with UEFI")
        if target.keeps_nvram or boot.is_manager:
            return
        if boot.fallback is None:
            where = WholeFile(f"{boot.manager.rsplit('/', 3)[0]}/Boot")
            what, effect = "has no fallback loader", "the firmware does not start Windows"
        elif boot.is_manager is None:
            place = WholeFile(boot.fallback.path)
            yield self.unknown(place, f"{place} differs from {boot.manager}, and does not say what it is")
            return
        else:
            where, kind = WholeFile(boot.fallback.path), boot.fallback.kind
            what, effect = f"is {kind}, not Windows' boot manager", f"the firmware starts {kind} in place of Windows"
        repaired = mover is Mover.VIRT_V2V
        shared = boot.fallback is not None and any(device.fs_type in _LINUX for device in blocks)
        severity = Severity.INFO if repaired else Severity.WARNING if shared else Severity.ERROR
        told = f"virt-v2v copies the boot manager there; after a raw copy {effect}" if repaired else effect
        told += ", unless that offers it in its menu" if shared else ""
        yield self.finding(where, f"{where} {what}", told, severity=severity, fix=None if boot.fallback else _copied(boot, where))


def _copied(boot: WindowsBoot, folder: WholeFile) -> Fix:
    copy = CopyFile(boot.manager, f"{folder.path}/bootx64.efi")
    return Fix("copy the boot manager to where every firmware looks", Applicability.SAFE, (copy,))
