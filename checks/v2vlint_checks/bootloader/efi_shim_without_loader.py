"""Rule efi-shim-without-loader."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    CopyFile,
    Efi,
    EfiImage,
    Example,
    Finding,
    Firmware,
    Fix,
    LoaderVerdict,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Target,
    sample_chain,
)

_SHIM = b"MZ ... UEFI SHIM\n$Version: 15.8 $"
_TOP = "/boot/efi/EFI"
_UEFI = BlockTable(
    (
        BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)),
        BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
    ),
    chains=(sample_chain("none"),),
)


class EfiShimWithoutLoader(Rule):
    r"""The fallback loader is shim, and what shim starts is not beside it.

    ## What it does
    When `\EFI\BOOT\BOOTX64.EFI` is shim: looks for `fbx64.efi` or `grubx64.efi` in the same directory.

    ## Why it matters
    shim starts fbx64.efi, which recreates the distribution's boot entry, or else grubx64.efi from its own directory. With neither it
    reports "Not Found" and the firmware goes on to network boot.

    ## Fix safety
    Safe: the distribution's own GRUB is copied beside shim; nothing is replaced.

    ## References
    - rhboot/shim README.fallback; FuturFusion/migration-manager `reinstall-grub-uefi.sh`
    """

    severity = Severity.ERROR
    stage = Stage.LOADER
    since = "0.1"
    predicts = (r"Failed to open \\EFI\\BOOT\\grubx64\.efi", r"start_image\(\) returned Not Found")
    examples = (
        Example(
            {f"{_TOP}/BOOT/BOOTX64.EFI": _SHIM, f"{_TOP}/debian/grubx64.efi": "MZ"},
            given=(_UEFI,),
            flags=(f"{_TOP}/BOOT/BOOTX64.EFI",),
            severity=Severity.ERROR,
            fixed={f"{_TOP}/BOOT/grubx64.efi": "MZ"},
        ),
        Example({f"{_TOP}/BOOT/BOOTX64.EFI": _SHIM, f"{_TOP}/BOOT/fbx64.efi": b"MZ"}, given=(_UEFI,)),
        Example({f"{_TOP}/BOOT/bootx64.efi": _SHIM, f"{_TOP}/BOOT/GRUBX64.EFI": b"MZ"}, given=(_UEFI,)),
        Example({f"{_TOP}/BOOT/BOOTX64.EFI": b"MZ Welcome to GRUB"}, given=(_UEFI,)),
    )

    def check(self, loader: LoaderVerdict, efi: Efi, firmware: Firmware, target: Target) -> Iterator[Finding]:
        if target.keeps_nvram or firmware.only != "uefi":
            raise NotApplicable("the guest does not depend on the fallback loader")
        for cause in loader.shim:
            effect = "shim has nothing to start, and the firmware goes on to network boot"
            fix = _copy(efi, cause.about.fallback, cause.about.wanted)
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix)


def _copy(efi: Efi, fallback: EfiImage, name: str) -> Fix | None:
    grub = next((image for image in efi.images if image.name == name and image.kind == "grub"), None)
    if grub is None:
        return None
    edit = CopyFile(grub.path, f"{fallback.folder}/{name}")
    return Fix(f"copy {name} beside shim", Applicability.SAFE, (edit,))
