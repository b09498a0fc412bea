"""Rule cmdline-missing-device."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    CommandLines,
    Devices,
    Example,
    Finding,
    Fix,
    NotApplicable,
    OsInfo,
    RootVerdict,
    Rule,
    Severity,
    Stage,
)

_RHEL = OsInfo("linux", "rhel", "rhel", "Red Hat Enterprise Linux", "9.4", "x86_64")
_BLOCKS = BlockTable(
    (
        BlockDevice("disk1", "disk", 2 << 30, 0),
        BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "LVM2_member", "p2Qx-1"),
        BlockDevice("rhel/root", "lv", 1 << 30, 0, 0, "xfs", "aa-11", parents=("disk1p2",)),
    )
)
_CFG = "/boot/grub2/grub.cfg"
_ENTRY = "menuentry 'RHEL' {{\n linux /vmlinuz-5.14.0 root=/dev/mapper/rhel-root ro {0}quiet\n initrd /i\n}}\n"


class CmdlineMissingDevice(Rule):
    """The command line asks dracut for a volume, array or LUKS device that is on none of the disks.

    ## What it does
    Checks `rd.lvm.lv=`, `rd.lvm.vg=`, `rd.luks.uuid=` and `rd.md.uuid=` of the default entry against the devices on the disks.

    ## Why it matters
    dracut waits until each of them appears; when one does not, boot ends in its emergency shell even though the root is there. Often it is
    the swap volume on a disk that was left behind.

    ## Fix safety
    Safe: what does not exist cannot be activated. The argument is removed wherever it is set.

    ## References
    - Microsoft, "linux-no-boot-dracut" (wrong swap device path); dracut.cmdline(7); dracut `modules.d/70lvm`
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    predicts = (r"dracut-initqueue.*timeout", r"Warning: /dev/\S+ does not exist")
    examples = (
        Example(
            {_CFG: _ENTRY.format("rd.lvm.lv=rhel/root rd.lvm.lv=rhel/swap ")},
            given=(_BLOCKS, _RHEL),
            flags=(f"{_CFG}:2",),
            severity=Severity.ERROR,
            fixed={_CFG: _ENTRY.format("rd.lvm.lv=rhel/root  ")},
        ),
        Example(
            {_CFG: _ENTRY.format("rd.luks.uuid=luks-dead ")},
            given=(_BLOCKS,),
            flags=(f"{_CFG}:2",),
            severity=Severity.WARNING,
            title="Debian's initramfs ignores such arguments",
        ),
        Example({_CFG: _ENTRY.format("rd.lvm.lv=rhel/root rd.lvm.vg=rhel rd.md.uuid=0 rd.luks=0 ")}, given=(BlockTable(), _RHEL)),
        Example({_CFG: _ENTRY.format("rd.lvm.lv=rhel/root rd.lvm.vg=rhel rd.luks=1 ")}, given=(_BLOCKS, _RHEL)),
    )

    def check(self, root: RootVerdict, lines: CommandLines, devices: Devices) -> Iterator[Finding]:
        if not devices.certain:
            raise NotApplicable("it is not known whether a device is missing")
        for cause in root.parts:
            arg = cause.about
            edits = lines.replace_arg(arg.name, arg.value or "", "")
            fix = Fix(f"remove {arg}", Applicability.SAFE, edits) if edits else None
            stops = cause.severity is Severity.ERROR
            effect = "dracut waits for it and ends in its emergency shell" if stops else "dracut would wait for it in vain"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix)
