"""Rule boot-loader-unknown-to-virt-v2v."""

from collections.abc import Iterator

from v2vlint.api import Conversion, Example, Finding, Mover, NotApplicable, Refusals, Rule, Severity

_SYSTEMD: dict[str, str | bytes] = {
    "/boot/EFI/BOOT/BOOTX64.EFI": b"MZ LoaderInfo: systemd-boot 255",
    "/boot/loader/entries/arch.conf": "title Arch\nlinux /vmlinuz-linux\ninitrd /i.img\noptions root=UUID=1\n",
}
_CFG = "menuentry 'x' {\n linux /boot/vmlinuz-6.1 root=UUID=1\n initrd /i\n}\n"


class BootLoaderUnknownToVirtV2v(Rule):
    """virt-v2v does not know the guest's boot loader and refuses it.

    ## What it does
    With virt-v2v as the mover: finds guests booted by systemd-boot, extlinux, LILO or a unified kernel image, guests with GRUB 2 but
    without grub-mkconfig, and UEFI guests whose EFI system partition is not at `/boot/efi`.

    ## Why it matters
    virt-v2v looks for grub.cfg, grub.conf or menu.lst below `/boot` (BIOS) or `/boot/efi/EFI` (UEFI) and stops with an error otherwise.

    ## References
    - libguestfs-common `mldrivers/linux_bootloaders.ml`, `detect_bootloader`
    """

    severity = Severity.ERROR
    since = "0.1"
    predicts = (r"no bootloader detected", r"could not find bootloader mount point", r"could not find .*grub2?-mkconfig")
    examples = (
        Example(_SYSTEMD, mover=Mover.VIRT_V2V, flags=("/boot/loader/loader.conf",), severity=Severity.ERROR),
        Example({"/boot/grub/grub.cfg": _CFG}, mover=Mover.VIRT_V2V, flags=("/boot/grub/grub.cfg",), title="no grub-mkconfig"),
        Example({"/boot/grub/grub.cfg": _CFG, "/usr/sbin/grub-mkconfig": "#!/bin/sh\n"}, mover=Mover.VIRT_V2V),
        Example(_SYSTEMD),
    )

    def check(self, refusals: Refusals, conversion: Conversion) -> Iterator[Finding]:
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        for refusal in refusals.of("boot loader"):
            yield self.finding(refusal.where, refusal.reason, "virt-v2v stops with an error and converts nothing")
