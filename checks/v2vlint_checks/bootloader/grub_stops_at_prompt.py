"""Rule grub-stops-at-prompt."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    BootMenu,
    CopyFile,
    Efi,
    Example,
    Finding,
    Fix,
    LoaderVerdict,
    OsInfo,
    Rule,
    Severity,
    Stage,
    sample_chain,
    sample_pe,
)

_STUB = "/boot/efi/EFI/debian/grub.cfg"
_LEADS = "search.fs_uuid {0} root\nset prefix=($root)'{1}/grub'\nconfigfile $prefix/grub.cfg\n"
_GUEST: dict[str, str | bytes] = {
    "/boot/efi/EFI/debian/shimx64.efi": b"MZ",
    "/boot/efi/EFI/debian/grubx64.efi": b"MZ GRUB",
    "/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ UEFI SHIM",
    "/boot/efi/EFI/BOOT/grubx64.efi": b"MZ GRUB",
    "/boot/grub/grub.cfg": "menuentry 'Debian' {\n\tlinux /boot/vmlinuz-6.1.0-28-amd64 root=UUID=0a3f-01 ro\n}\n",
}
_ESP = BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_ROOT = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "ext4", "0a3f-01")
_UEFI = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)), _ESP, _ROOT), chains=(sample_chain("none"),))
_LEGACY: dict[str, str | bytes] = {
    f"/boot/efi/EFI/{name}": sample_pe({".text": b"0.97 GNU GRUB  version %s"}) for name in ("BOOT/BOOTX64.EFI", "redhat/grub.efi")
}
_MENU = "title a\n kernel /vmlinuz root=/dev/sda2\n"
_OS = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")


class GrubStopsAtPrompt(Rule):
    """The boot loader's configuration leads to no menu, or is not where it looks.

    ## What it does
    Follows the configuration read by the GRUB on the EFI system partition, including what is built into the program where that is readable.
    GRUB legacy for EFI reads the file beside it with its own name (`BOOTX64.conf` for `BOOTX64.EFI`), SYSLINUX for EFI its usual folders.

    ## Why it matters
    GRUB reads one configuration: the one in its prefix folder. On UEFI that is a few lines on the EFI system partition which search for the
    filesystem with the real menu. If they name a UUID that is gone (a new mkfs, a clone, a restored backup), GRUB stops at its prompt; it
    does not look elsewhere. Correct the UUID there, or reinstall GRUB.

    ## Fix safety
    Safe: if the distribution's folder has the same GRUB legacy with its configuration, that is copied; nothing is replaced.

    ## References
    - GRUB: `grub-core/kern/main.c`, `grub_set_prefix_and_root`; `grub-core/normal/main.c`, `grub_cmd_normal`
    - ReaR `output/USB/Linux-i386/100_create_efiboot.sh`, virt-v2v `convert/convert_linux.ml`: both give GRUB legacy its `BOOTX64.conf`
    """

    severity = Severity.ERROR
    stage = Stage.LOADER
    since = "0.1"
    predicts = (r"no such device: [0-9a-fA-F-]+", r"^grub(?: rescue)?>")
    examples = (
        Example(
            {**_GUEST, _STUB: _LEADS.format("dead-02", "")}, given=(_UEFI, _OS), flags=(_STUB,), severity=Severity.ERROR, uuid="0a3f-01"
        ),
        Example({**_GUEST, _STUB: _LEADS.format("0a3f-01", "/boot")}, given=(_UEFI, _OS), uuid="0a3f-01"),
        Example(
            {"/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ GRUB", _STUB: _LEADS.format("dead-02", "")},
            given=(_UEFI, _OS),
            title="a GRUB of another build may have its prefix inside",
            uuid="0a3f-01",
        ),
        Example(
            {**_LEGACY, "/boot/efi/EFI/redhat/grub.conf": _MENU},
            given=(_UEFI, _OS),
            flags=("/boot/efi/EFI/BOOT/BOOTX64.conf",),
            severity=Severity.ERROR,
            fixed={"/boot/efi/EFI/BOOT/BOOTX64.conf": _MENU},
            title="GRUB legacy was copied without its configuration",
        ),
        Example({**_LEGACY, "/boot/efi/EFI/BOOT/bootx64.conf": _MENU}, given=(_UEFI, _OS)),
    )

    def check(self, loader: LoaderVerdict, efi: Efi) -> Iterator[Finding]:
        for cause in loader.prompt:
            name = "SYSLINUX" if cause.about.loader == "extlinux" else "GRUB"
            effect, fix = f"{name} waits at its prompt", _copy(cause.about, efi)
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix)


def _copy(menu: BootMenu, efi: Efi) -> Fix | None:
    """The configuration of a GRUB legacy in another folder, for the program of the same size that lacks it."""
    if menu.loader != "grub-legacy":
        return None
    alone = next((image for image in efi.of("boot") if image.legacy), None)
    others = (image for image in efi.images if alone and image.legacy and image.size == alone.size and image is not alone)
    source = next((path for image in others if (path := efi.own_config(image))), "")
    edit = CopyFile(source, menu.config.path)
    return Fix("copy the configuration beside GRUB", Applicability.SAFE, (edit,)) if source else None
