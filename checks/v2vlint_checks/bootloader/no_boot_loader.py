"""Rule no-boot-loader."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Bootloader,
    Device,
    Example,
    Finding,
    Firmware,
    FirmwareVerdict,
    Rule,
    Severity,
    Stage,
    sample_chain,
)

_BARE = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, fs_type="ext4", uuid="aa-11"),), chains=(sample_chain("none"),))
_GRUB = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "dos"),)),), chains=(sample_chain(),))
_OTHER = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0),), chains=(sample_chain("other"),))

_ROOT2 = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "ext4", "bb-22")


class NoBootLoader(Rule):
    """No firmware can boot the guest from its disks.

    ## What it does
    Finds guests without BIOS boot code on any disk and without a loader on an EFI system partition, and guests with GRUB's boot sector but
    no configuration for it. Image-based systems and unknown loaders with boot code of their own are not judged.

    ## Why it matters
    Xen PV guests and containers are started by their host, which reads the kernel from their disk. Other hypervisors need a boot loader:
    the firmware prints "Booting from hard disk" and nothing follows.

    ## References
    - guestisp/xen-to-pve issue 4; djamps/migrate-vm issue 18; virt-v2v refuses guests with Xen PV kernels only
    """

    severity = Severity.ERROR
    stage = Stage.FIRMWARE
    since = "0.1"
    examples = (
        Example({"/boot/vmlinuz-6.1.0": b"x"}, given=(_BARE,), flags=("disk1 boot sector",), severity=Severity.ERROR),
        Example(
            {"/boot/grub/menu.lst": "title x\n kernel /boot/vmlinuz-xen root=/dev/xvda1\n"},
            given=(_BARE,),
            target="xen",
            title="pygrub reads menu.lst",
        ),
        Example({"/boot/vmlinuz-6.1.0": b"x"}, given=(_GRUB,), flags=("disk1 boot sector",), severity=Severity.WARNING),
        Example({"/boot/vmlinuz-6.1.0": b"x"}, given=(_OTHER,), title="a loader of its own"),
        Example(
            {"/boot/vmlinuz-6.1.0": b"x"},
            given=(BlockTable((*_GRUB, _ROOT2), chains=_GRUB.chains),),
            title="another system may have the configuration",
        ),
        Example({"/boot/vmlinuz-6.1.0": b"x"}, title="no boot sector is known"),
    )

    def check(self, verdict: FirmwareVerdict, firmware: Firmware, bootloader: Bootloader) -> Iterator[Finding]:
        for cause in verdict.nothing:
            yield self.finding(cause.where, cause.reason, "the firmware finds nothing to boot", severity=cause.severity)
        if (
            firmware.loader.startswith("grub")
            and firmware.only == "bios"
            and not (bootloader.menus or bootloader.other or bootloader.elsewhere)
        ):
            where = Device(f"disk{(firmware.boot_disk or 0) + 1}", "boot sector")
            message = "the boot sector starts GRUB, but no configuration for it was found"
            yield self.finding(where, message, "GRUB may stop at its prompt", severity=Severity.WARNING)
