"""Rule resume-missing-device."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Bootloader,
    CommandLines,
    Devices,
    Edit,
    Example,
    Finding,
    Fix,
    NotApplicable,
    ResumeConf,
    Rule,
    Severity,
    Unknown,
    Where,
)

_BLOCKS = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0), BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", "0f3c-77")))
_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n linux /vmlinuz-6.1.0 root=UUID=0f3c-77 ro {0}\n initrd /i\n}}\n"
_CONF = "/etc/initramfs-tools/conf.d/resume"


class ResumeMissingDevice(Rule):
    """The resume device is on none of the disks.

    ## What it does
    Compares `resume=` on the default entry's command line and `RESUME=` of initramfs-tools with the devices on the disks.

    ## Why it matters
    The initramfs waits for the device: 30 seconds with initramfs-tools, indefinitely with some versions of dracut and systemd.

    ## Fix safety
    Safe: there is nothing to resume from. `resume=` becomes `noresume` and `RESUME=` becomes `none`, in the initramfs' copy as well.

    ## References
    - initramfs-tools `hooks/resume`, dracut's resume module; systemd issue 35180; QubesOS/qubes-issues 3178
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"Gave up waiting for suspend/resume device",)
    examples = (
        Example(
            {_CFG: _ENTRY.format("resume=UUID=dead"), "/etc/default/grub": 'GRUB_CMDLINE_LINUX="quiet resume=UUID=dead"\n'},
            given=(_BLOCKS,),
            flags=(f"{_CFG}:2",),
            severity=Severity.WARNING,
            fixed={_CFG: _ENTRY.format("noresume"), "/etc/default/grub": 'GRUB_CMDLINE_LINUX="quiet noresume"\n'},
        ),
        Example(
            {_CONF: "RESUME=UUID=dead\n"},
            given=(_BLOCKS,),
            flags=(f"{_CONF}:1",),
            fixed={_CONF: "RESUME=none\n"},
        ),
        Example({_CONF: "RESUME=UUID=dead\n"}, given=(BlockTable(_BLOCKS.devices, complete=False),), title="not told for sure"),
        Example({_CONF: 'RESUME="UUID="0F3C-77\n'}, given=(_BLOCKS,), title="quoted in part"),
        Example({_CONF: "RESUME=UUID=dead\nunset RESUME\n"}, given=(_BLOCKS,), title="not set in the end"),
        Example({_CONF: "[ -e /dev/sda2 ] && RESUME=UUID=dead\n"}, given=(_BLOCKS,), unknown=True, title="under a condition"),
        Example({_CONF: "RESUME=UUID=$(blkid -s UUID -o value /dev/sda2)\n"}, given=(_BLOCKS,), unknown=True, title="the shell knows"),
        Example({_CONF: "RESUME=UUID=0F3C-77\n", _CFG: _ENTRY.format("noresume resume=UUID=dead")}, given=(_BLOCKS,)),
    )

    def check(
        self, bootloader: Bootloader, lines: CommandLines, conf: ResumeConf, devices: Devices, blocks: BlockTable
    ) -> Iterator[Finding | Unknown]:
        if not blocks.devices:
            raise NotApplicable("no block devices are known")
        values: dict[str, Where] = {}
        for entry in bootloader.defaults:
            if entry.resume and entry.resume.value and devices.present(entry.resume.value) is False:
                values.setdefault(entry.resume.value, entry.resume.where)
        for value, where in values.items():
            yield self._missing(where, value, lines.replace_arg("resume", value, "noresume"))
        if conf.untold:
            yield self.unknown(*conf.untold)
        if conf.device and conf.names_device and devices.present(conf.device.value) is False:
            yield self._missing(conf.device.where, conf.device.value, conf.replace("none"))

    def _missing(self, where: Where, value: str, edits: tuple[Edit, ...]) -> Finding:
        message = f"the guest looks for a hibernation image on {value}, which is on none of the disks"
        fix = Fix("do not resume", Applicability.SAFE, edits) if edits else None
        return self.finding(where, message, "the initramfs waits for it, 30 s or longer, before it goes on", fix=fix)
