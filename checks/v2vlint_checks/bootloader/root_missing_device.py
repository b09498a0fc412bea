"""Rule root-missing-device."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Example, Finding, NotApplicable, RootVerdict, Rule, Severity, Stage, Unknown

_BLOCKS = BlockTable(
    (BlockDevice("disk1", "disk", 2 << 30, 0), BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", "0f3c-77", "root"))
)
_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n linux /boot/vmlinuz-6.1.0 root={0} ro\n initrd /boot/initrd.img-6.1.0\n}}\n"


class RootMissingDevice(Rule):
    """The default boot entry looks for a root filesystem that is on none of the disks.

    ## What it does
    Compares `root=UUID=`, `LABEL=`, `PARTUUID=` and logical volumes on the default entry's command line with the devices on the disks.

    ## Why it matters
    The initramfs waits for the device and ends in its shell. Typical causes are filesystems that were copied into new ones, a stale boot
    menu, or a disk with the root filesystem that was not taken along.

    ## References
    - bootparam(7), dracut.cmdline(7)
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    examples = (
        Example({_CFG: _ENTRY.format("UUID=dead")}, given=(_BLOCKS,), flags=(f"{_CFG}:2",), severity=Severity.ERROR),
        Example({_CFG: _ENTRY.format("UUID=dead")}, given=(BlockTable(_BLOCKS.devices, complete=False),), unknown=True),
        Example({_CFG: _ENTRY.format("LABEL=root")}, given=(_BLOCKS,)),
        Example({_CFG: _ENTRY.format("/dev/sda1") + _ENTRY.format("UUID=dead")}, given=(_BLOCKS,), title="names, and entries not booted"),
        Example({_CFG: _ENTRY.format("ZFS=rpool/ROOT")}, given=(_BLOCKS,)),
        Example({_CFG: _ENTRY.format("UUID=dead")}, title="no block devices are known"),
    )

    def check(self, root: RootVerdict, blocks: BlockTable) -> Iterator[Finding | Unknown]:
        if not blocks.devices:
            raise NotApplicable("no block devices are known")
        for cause in root.missing:
            entry = cause.about
            if entry is None:
                yield self.unknown(cause.where, cause.reason)
                continue
            value = entry.root.value if entry.root else ""
            message = f"the default entry ({entry}) looks for {value}, which is on none of the disks"
            yield self.finding(cause.where, message, "the initramfs waits for it and ends in its shell", severity=cause.severity)
