"""Rule grub-default-root-device."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Bootloader,
    CommandLines,
    Devices,
    Example,
    Finding,
    Fix,
    GrubDefaults,
    NameFate,
    NameKind,
    ReplaceText,
    Rule,
    Severity,
    Target,
    Unknown,
    UntoldSetting,
    kernel_fate,
    name_kind,
)

_BLOCKS = BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0), BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", "0f3c-77")))
_LVM = "menuentry 'x' {\n linux /vmlinuz-6.1 root=/dev/mapper/vg-root\n initrd /i\n}\n"


class GrubDefaultRootDevice(Rule):
    """The settings for generating boot entries name the root device by a name that will change.

    ## What it does
    Finds `root=` with a kernel name or hardware path in `/etc/default/grub` and its drop-ins, `/etc/kernel/cmdline`, SUSE's
    `/etc/sysconfig/bootloader` and the like, and `GRUB_DISABLE_LINUX_UUID=true`, which makes grub-mkconfig write kernel names.

    ## Why it matters
    Even where the active entries are right, the next kernel update writes the name into the new entry, and from then on the guest does not
    find its root filesystem.

    ## Fix safety
    Safe where the device is known for certain: its UUID replaces the name, in the active entries as well.

    ## References
    - GRUB manual, "Simple configuration handling"; kernel-install(8)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/default/grub": '# root=/dev/sda9\nGRUB_CMDLINE_LINUX="root=/dev/sda1 quiet"\n'},
            given=(_BLOCKS,),
            flags=("/etc/default/grub:2",),
            severity=Severity.WARNING,
            fixed={"/etc/default/grub": '# root=/dev/sda9\nGRUB_CMDLINE_LINUX="root=UUID=0f3c-77 quiet"\n'},
        ),
        Example(
            {"/etc/kernel/cmdline": "root=/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part1 ro\n"},
            given=(_BLOCKS,),
            flags=("/etc/kernel/cmdline:1",),
            fixed={"/etc/kernel/cmdline": "root=UUID=0f3c-77 ro\n"},
        ),
        Example(
            {"/etc/default/grub": "GRUB_DISABLE_LINUX_UUID=true\n"},
            flags=("/etc/default/grub:1",),
            fixed={"/etc/default/grub": "GRUB_DISABLE_LINUX_UUID=false\n"},
        ),
        Example({"/etc/default/grub": "GRUB_DISABLE_LINUX_UUID=true\n", "/boot/grub/grub.cfg": _LVM}, title="root is on LVM"),
        Example(
            {"/etc/default/grub": "GRUB_DISABLE_LINUX_UUID=true\nGRUB_DISABLE_LINUX_PARTUUID=false\n"}, title="PARTUUID= is written then"
        ),
        Example({"/etc/default/grub": "#GRUB_DISABLE_LINUX_UUID=true\nGRUB_CMDLINE_LINUX_DEFAULT=quiet\n"}),
    )

    def check(
        self, lines: CommandLines, defaults: GrubDefaults, bootloader: Bootloader, devices: Devices, blocks: BlockTable, target: Target
    ) -> Iterator[Finding | Unknown]:
        effect = "entries written by the next kernel update do not find their root filesystem"
        for arg in lines.sources:
            value = arg.value or ""
            changes = kernel_fate(value, target, blocks) is NameFate.GONE or name_kind(value) is NameKind.HARDWARE
            if arg.name in ("root", "real_root") and changes:
                message = f"new boot entries will get {arg}, a name that changes"
                yield self.finding(arg.where, message, effect, fix=_by_uuid(arg.name, value, lines, devices))
        yield from (
            self.unknown(one.where, f"the value of {one.name} cannot be told: {one.why}") for one in defaults.untold if _counts(one)
        )
        switch = defaults.get("GRUB_DISABLE_LINUX_UUID")
        partuuid = defaults.value("GRUB_DISABLE_LINUX_PARTUUID") == "false"
        if switch and switch.value == "true" and not partuuid and _matters(bootloader):
            edit = ReplaceText(switch.value_at.where, "true", "false") if switch.value_at else None
            fix = Fix("let grub-mkconfig use UUIDs", Applicability.SAFE, (edit,)) if edit else None
            message = "GRUB_DISABLE_LINUX_UUID=true makes grub-mkconfig write kernel names for the root device"
            yield self.finding(switch.where, message, effect, fix=fix)


def _counts(one: UntoldSetting) -> bool:
    return one.is_arguments or one.name in ("GRUB_DISABLE_LINUX_UUID", "GRUB_DISABLE_LINUX_PARTUUID")


def _matters(bootloader: Bootloader) -> bool:
    """Kernel names are written for plain partitions only: volumes keep their mapper names."""
    roots = [entry.root.value for entry in bootloader.all_entries if entry.root and entry.root.value]
    return not roots or not all(name_kind(root) is NameKind.MAPPER for root in roots)


def _by_uuid(name: str, value: str, lines: CommandLines, devices: Devices) -> Fix | None:
    lasting = devices.lasting(value)
    edits = lines.replace_value(name, value, lasting.text) if lasting else ()
    if lasting is None or not edits:
        return None
    return Fix(f"write {name}={lasting.text} everywhere", Applicability.SAFE if lasting.certain else Applicability.UNSAFE, edits)
