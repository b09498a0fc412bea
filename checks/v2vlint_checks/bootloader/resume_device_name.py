"""Rule resume-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Bootloader,
    CommandLines,
    DeviceNames,
    Devices,
    Edit,
    Example,
    Finding,
    Fix,
    Mover,
    NameFate,
    NameKind,
    ResumeConf,
    Rule,
    Severity,
    Target,
    Unknown,
    Where,
    kernel_fate,
    name_kind,
    sample_tools,
)

_SWAP = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "swap", "5a-22")
_BLOCKS = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0), _SWAP))
_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n linux /vmlinuz-6.1.0 root=UUID=1 resume={0} ro\n initrd /i\n}}\n"
_CONF = "/etc/initramfs-tools/conf.d/resume"


class ResumeDeviceName(Rule):
    """The resume device is given by a name that will change.

    ## What it does
    Finds `resume=` on the active command line and `RESUME=` of initramfs-tools with a kernel name or hardware path.

    ## Why it matters
    The initramfs waits for the device: 30 seconds with initramfs-tools, indefinitely with some versions of dracut and systemd. The
    initramfs contains a copy of RESUME=, which the next rebuild updates.

    ## Fix safety
    Safe where the device is known for certain: the UUID is read from the swap space itself and written wherever the name is used.

    ## References
    - initramfs-tools(7), `resume`; systemd issue 35180; mpalourdio/xps13 issue 110
    - virt-v2v renames it within GRUB_CMDLINE_LINUX: `convert/convert_linux.ml`.
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"Gave up waiting for suspend/resume device",)
    examples = (
        Example(
            {_CFG: _ENTRY.format("/dev/sda2"), "/etc/default/grub": 'GRUB_CMDLINE_LINUX="resume=/dev/sda2"\n', _CONF: "RESUME=/dev/sda2\n"},
            given=(_BLOCKS,),
            flags=(f"{_CFG}:2", f"{_CONF}:1"),
            severity=Severity.WARNING,
            fixed={
                _CFG: _ENTRY.format("UUID=5a-22"),
                "/etc/default/grub": 'GRUB_CMDLINE_LINUX="resume=UUID=5a-22"\n',
                _CONF: "RESUME=UUID=5a-22\n",
            },
        ),
        Example(
            {
                **sample_tools(),
                _CFG: _ENTRY.format("/dev/sda2"),
                "/etc/default/grub": 'GRUB_CMDLINE_LINUX="resume=/dev/sda2"\n',
            },
            mover=Mover.VIRT_V2V,
            flags=(f"{_CFG}:2",),
            severity=Severity.INFO,
        ),
        Example({_CFG: _ENTRY.format("/dev/sda2 noresume"), _CONF: "RESUME=none\n"}),
        Example({_CFG: _ENTRY.format("/dev/mapper/vg-swap"), _CONF: "# RESUME=/dev/sda2\nRESUME=UUID=5a-22\n"}),
        Example({_CFG: _ENTRY.format("/dev/sda2")}, given=(_BLOCKS,), target="kvm-scsi"),
    )

    def check(
        self,
        bootloader: Bootloader,
        lines: CommandLines,
        conf: ResumeConf,
        devices: Devices,
        blocks: BlockTable,
        target: Target,
        names: DeviceNames,
    ) -> Iterator[Finding | Unknown]:
        values: dict[str, Where] = {}
        for entry in bootloader.defaults:
            if entry.resume and entry.resume.value:
                values.setdefault(entry.resume.value, entry.resume.where)
        for value, where in values.items():
            if _changes(value, target, blocks):
                handled = names.changes(value) and _in_sources(lines, value)
                fix = _fix(value, lines.replace_value("resume", value, _uuid(devices, value)), devices)
                yield self._found(where, value, Severity.INFO if handled else Severity.WARNING, fix)
        if conf.untold:
            yield self.unknown(*conf.untold)
        if conf.device and conf.names_device and _changes(conf.device.value, target, blocks):
            value = conf.device.value
            yield self._found(conf.device.where, value, Severity.WARNING, _fix(value, conf.replace(_uuid(devices, value)), devices))

    def _found(self, where: Where, value: str, severity: Severity, fix: Fix | None) -> Finding:
        effect = "virt-v2v renames it" if severity is Severity.INFO else "the initramfs waits for it, 30 s or longer, before it goes on"
        return self.finding(where, f"the resume device is {value}, a name that changes", effect, severity=severity, fix=fix)


def _changes(value: str, target: Target, blocks: BlockTable) -> bool:
    return kernel_fate(value, target, blocks) is NameFate.GONE or name_kind(value) is NameKind.HARDWARE


def _in_sources(lines: CommandLines, value: str) -> bool:
    return any(arg.name == "resume" and arg.value == value for arg in lines.sources)


def _uuid(devices: Devices, value: str) -> str:
    lasting = devices.lasting(value, "swap")
    return lasting.text if lasting else ""


def _fix(value: str, edits: tuple[Edit, ...], devices: Devices) -> Fix | None:
    lasting = devices.lasting(value, "swap")
    if lasting is None or not edits:
        return None
    return Fix(f"resume from {lasting.text}", Applicability.SAFE if lasting.certain else Applicability.UNSAFE, edits)
