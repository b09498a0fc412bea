"""Rule grub-menu-rewritten-for-bios."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    EntryVerdict,
    Example,
    Finding,
    Mover,
    OsInfo,
    Rule,
    Severity,
    Stage,
    sample_chain,
    sample_tools,
)

_CFG = "/boot/efi/EFI/centos/grub.cfg"
_GUEST: dict[str, str | bytes] = {
    **sample_tools(),
    _CFG: "menuentry 'CentOS' {\n\tlinuxefi /vmlinuz-3.10.0-1160 root=UUID=1 ro\n\tinitrdefi /i.img\n}\n",
    "/boot/efi/EFI/centos/grubx64.efi": b"MZ GRUB",
    "/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ GRUB",
}
_ESP = BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_UEFI = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)), _ESP), chains=(sample_chain("none"),))
_OS = OsInfo("linux", "centos", "rhel", "CentOS Linux", "7.9", "x86_64")


class GrubMenuRewrittenForBios(Rule):
    """virt-v2v regenerates GRUB's menu for BIOS on a guest that boots with UEFI.

    ## What it does
    With virt-v2v as the mover: finds UEFI guests whose menu uses `linuxefi` and whose fstab, crypttab or `resume=` has a device that
    virt-v2v renames, which makes it run the guest's grub2-mkconfig.

    ## Why it matters
    grub2-mkconfig looks for `/sys/firmware/efi`, which virt-v2v's appliance does not have, and writes `linux16`. The EFI GRUB of Red Hat 7
    has no such command: `error: can't find command linux16`. Name the devices by UUID before the move, so that nothing is rewritten.

    ## References
    - libguestfs/virt-v2v issue 160; libguestfs-common `mldrivers/linux_bootloaders.ml`, `bootloader_grub2`
    """

    severity = Severity.ERROR
    stage = Stage.ENTRY
    since = "0.1"
    predicts = (r"can't find command .?linux16",)
    examples = (
        Example(
            {**_GUEST, "/etc/fstab": "UUID=1 / xfs\n/dev/sda2 /boot xfs\n"},
            given=(_UEFI, _OS),
            mover=Mover.VIRT_V2V,
            flags=(_CFG,),
            severity=Severity.ERROR,
        ),
        Example({**_GUEST, "/etc/fstab": "UUID=1 / xfs\nUUID=2 /boot xfs\n"}, given=(_UEFI, _OS), mover=Mover.VIRT_V2V),
        Example({**_GUEST, "/etc/fstab": "UUID=1 / xfs\n/dev/sda2 /boot xfs\n"}, given=(_UEFI, _OS), title="a raw copy"),
    )

    def check(self, entry: EntryVerdict) -> Iterator[Finding]:
        for cause in entry.rewritten:
            effect = "GRUB does not know the command and boots nothing"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
