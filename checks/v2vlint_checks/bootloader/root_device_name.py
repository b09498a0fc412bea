"""Rule root-device-name."""

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
    GrubDefaults,
    Mover,
    NamedRoot,
    NotApplicable,
    OsInfo,
    ReplaceText,
    RootVerdict,
    Rule,
    Severity,
    Stage,
    sample_tools,
)

_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_ROOT = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", "0f3c-77", part_uuid="5e1d-01")
_BLOCKS = BlockTable((_DISK, _ROOT))
_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n linux /boot/vmlinuz-6.1.0 root={0} ro quiet\n initrd /boot/initrd.img-6.1.0\n}}\n"
_RESCUE = "menuentry 'old' {{\n linux /boot/vmlinuz-5.10 root={0} ro\n initrd /boot/initrd.img-5.10\n}}\n"
_BARE = "menuentry 'custom' {{\n linux /boot/vmlinuz-6.9.1 root={0} ro\n}}\n"
_ENV = "# GRUB Environment Block\nkernelopts=root={0} ro \n"


def _block(root: str) -> str:
    return _ENV.format(root).ljust(1024, "#")


class RootDeviceName(Rule):
    """The kernel command line names the root device by a name that will change.

    ## What it does
    Finds `root=` with a kernel name (`/dev/sda1`) or a hardware path in the active menu, wherever it is written: grub.cfg, grubenv, BLS
    entries, GRUB legacy, extlinux, systemd-boot, unified kernel images. It is an error in the default entry, a warning in others.

    ## Why it matters
    The device does not exist behind the target's disk controller. The initramfs waits for it and ends in its shell.

    ## Fix safety
    Safe where the device is known for certain. `root=UUID=` replaces the name in all entries and in the files they are generated from
    (`/etc/default/grub`, `/etc/kernel/cmdline`); PARTUUID= where an entry has no initramfs, because the kernel alone cannot resolve UUIDs.

    ## References
    - virt-v2v does not touch root= in GRUB 2; it renames it in GRUB legacy: `convert/convert_linux.ml`, `remap_block_devices`.
    - Tested: Debian 12 with root=/dev/sda1 boots from IDE and stops in the initramfs shell on virtio-blk.
    - Issues: guestisp/xen-to-pve 1, NixOS/nixpkgs 72274
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    predicts = (r"ALERT!\s+/dev/\w+ does not exist", r"/dev/\w+ does not exist\. +Dropping to a shell")
    examples = (
        Example(
            {_CFG: _ENTRY.format("/dev/sda1"), "/etc/default/grub": 'GRUB_CMDLINE_LINUX="root=/dev/sda1"\nGRUB_DISABLE_LINUX_UUID=true\n'},
            given=(_BLOCKS,),
            flags=(f"{_CFG}:2",),
            severity=Severity.ERROR,
            fixed={
                _CFG: _ENTRY.format("UUID=0f3c-77"),
                "/etc/default/grub": 'GRUB_CMDLINE_LINUX="root=UUID=0f3c-77"\nGRUB_DISABLE_LINUX_UUID=false\n',
            },
        ),
        Example(
            {_CFG: _BARE.format("/dev/sda1")},
            given=(_BLOCKS,),
            flags=(f"{_CFG}:2",),
            severity=Severity.ERROR,
            fixed={_CFG: _BARE.format("PARTUUID=5e1d-01")},
            title="without an initramfs only PARTUUID= works",
        ),
        Example(
            {_CFG: _ENTRY.format("UUID=0f3c-77") + _RESCUE.format("/dev/sda1")},
            flags=(f"{_CFG}:6",),
            severity=Severity.WARNING,
            title="not the entry booted by default",
        ),
        Example(
            {
                "/boot/grub2/grub.cfg": "load_env\nset default=0\nblscfg\n",
                "/boot/grub2/grubenv": _block("/dev/sda1"),
                "/boot/loader/entries/ab-5.14.0.conf": "title R\nlinux /vmlinuz-5.14.0\ninitrd /i.img\noptions $kernelopts $tuned_params\n",
            },
            given=(_BLOCKS,),
            flags=("/boot/grub2/grubenv:2",),
            severity=Severity.ERROR,
            fixed={"/boot/grub2/grubenv": _block("UUID=0f3c-77")},
            title="BLS entries with $kernelopts from grubenv, whose size stays",
        ),
        Example(
            {
                "/boot/grub/menu.lst": "default 0\ntitle CentOS\n kernel /vmlinuz-2.6.18 ro root=/dev/hda1\n initrd /i.img\n",
                "/sbin/mkinitrd": "",
            },
            given=(OsInfo("linux", "centos", "rhel", "CentOS", "5.11", "x86_64"),),
            mover=Mover.VIRT_V2V,
            flags=("/boot/grub/menu.lst:3",),
            severity=Severity.INFO,
        ),
        Example(
            {_CFG: _ENTRY.format("/dev/sda1"), "/etc/fstab": "/dev/sda1 / ext4\n", **sample_tools()},
            mover=Mover.VIRT_V2V,
            flags=(f"{_CFG}:2",),
            severity=Severity.INFO,
            title="virt-v2v renames the device in fstab, and has the menu written anew",
        ),
        Example(
            {_CFG: _ENTRY.format("/dev/sda1"), **sample_tools()},
            mover=Mover.VIRT_V2V,
            flags=(f"{_CFG}:2",),
            severity=Severity.ERROR,
            title="virt-v2v finds nothing to rename, and leaves the menu alone",
        ),
        Example({_CFG: _ENTRY.format("/dev/sda1")}, given=(_BLOCKS,), target="kvm-scsi", title="the name stays"),
        Example(
            {
                _CFG: _ENTRY.format("/dev/mapper/vg-root") + "# linux /vmlinuz root=/dev/sda1\n",
                "/boot/grub/menu.lst": "title unused\n kernel /vmlinuz root=/dev/sda1\n",
                "/etc/default/grub": '#GRUB_CMDLINE_LINUX="root=/dev/sda1"\n',
            },
            title="LVM names stay; comments and an unused menu.lst do not count",
        ),
    )

    def check(
        self, root: RootVerdict, bootloader: Bootloader, lines: CommandLines, defaults: GrubDefaults | None, devices: Devices
    ) -> Iterator[Finding]:
        if not bootloader.menus:
            raise NotApplicable("no boot menu was found")
        for cause in root.names:
            named = cause.about
            entry, argument = named.entry, named.argument
            what = "the default entry" if named.certain else "a menu entry"
            message = f"{what} ({entry}) boots {argument}, a name that changes"
            related = tuple(dict.fromkeys(other.where for other in named.others))
            fix = _by_uuid(named, lines, defaults, devices)
            yield self.finding(cause.where, message, _effect(named, cause.severity), severity=cause.severity, fix=fix, related=related)


def _effect(named: NamedRoot, severity: Severity | None) -> str:
    lost = "the initramfs waits for a root device that never appears and ends in its shell"
    if not named.entry.has_initrd:
        lost = "the kernel finds no root filesystem and panics"
    if severity is Severity.INFO:
        return "virt-v2v replaces it; a raw copy would not find its root filesystem"
    return lost if severity is Severity.ERROR else "this entry does not find its root filesystem"


def _by_uuid(named: NamedRoot, lines: CommandLines, defaults: GrubDefaults | None, devices: Devices) -> Fix | None:
    arg = named.argument
    lasting = devices.lasting(arg.value or "")
    if lasting is None:
        return None
    text = lasting.text
    if not all(entry.has_initrd for entry in named.entries):  # the kernel itself knows no UUID= of filesystems
        if not lasting.device.part_uuid:
            return None
        text = f"PARTUUID={lasting.device.part_uuid}"
    edits: tuple[Edit, ...] = lines.replace_value(arg.name, arg.value or "", text)
    switch = defaults.get("GRUB_DISABLE_LINUX_UUID") if defaults else None
    if edits and switch and switch.value == "true" and switch.value_at:
        # Otherwise the next grub-mkconfig writes kernel names again.
        edits = (*edits, ReplaceText(switch.value_at.where, "true", "false"))
    safety = Applicability.SAFE if lasting.certain else Applicability.UNSAFE
    return Fix(f"boot {arg.name}={text} in every entry", safety, edits) if edits else None
