"""Rule root-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    BootEntry,
    Bootloader,
    CommandLines,
    Devices,
    Edit,
    Example,
    Fate,
    Finding,
    Fix,
    GrubDefaults,
    KernelArg,
    Mover,
    NameKind,
    NotApplicable,
    ReplaceText,
    Rule,
    Severity,
    Stage,
    Target,
    kernel_fate,
    name_kind,
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
    Finds `root=` with a kernel name (`/dev/sda1`) or a hardware path in the menu that is live, wherever it is written: grub.cfg, grubenv,
    BLS entries, GRUB legacy, extlinux, systemd-boot, unified kernel images. The entry booted by default counts as an error, others do not.

    ## Why it matters
    The device does not exist behind the target's disk controller. The initramfs waits for it and ends in its shell.

    ## Fix safety
    Safe where the device is known for sure. `root=UUID=` replaces the name in all entries and in the files that generate them
    (`/etc/default/grub`, `/etc/kernel/cmdline`), PARTUUID= where an entry has no initramfs: the kernel alone does not know UUIDs.

    ## References
    - virt-v2v does not touch root= in GRUB 2; it renames it in GRUB legacy: `convert/convert_linux.ml`, `remap_block_devices`.
    - Tried: a Debian 12 with root=/dev/sda1 boots from IDE and stops in the initramfs shell on virtio-blk.
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
            {"/boot/grub/menu.lst": "default 0\ntitle CentOS\n root (hd0,0)\n kernel /vmlinuz-2.6.18 ro root=/dev/hda1\n initrd /i.img\n"},
            mover=Mover.VIRT_V2V,
            flags=("/boot/grub/menu.lst:4",),
            severity=Severity.INFO,
        ),
        Example(
            {_CFG: _ENTRY.format("/dev/sda1")},
            mover=Mover.VIRT_V2V,
            flags=(f"{_CFG}:2",),
            severity=Severity.WARNING,
            title="virt-v2v may regenerate this, and nothing else says /dev/sda1",
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
        self,
        bootloader: Bootloader,
        lines: CommandLines,
        defaults: GrubDefaults,
        devices: Devices,
        blocks: BlockTable,
        target: Target,
        mover: Mover,
    ) -> Iterator[Finding]:
        if not bootloader.menus:
            raise NotApplicable("no boot menu was found")
        hits = [(entry, entry.root) for entry in bootloader.all_entries if entry.root and _changes(entry.root, target, blocks)]
        certain = _certain(bootloader, [entry for entry, _arg in hits])
        first = [(entry, arg) for entry, arg in hits if entry in certain] or hits[:1]
        for entry, arg in {arg.where: (entry, arg) for entry, arg in reversed(first)}.values():
            severity = _severity(arg, target, blocks, fatal=entry in certain)
            if mover is Mover.VIRT_V2V:
                severity = min(severity, _repaired(bootloader, arg, lines, defaults))
            message = f"{'the default entry' if entry in certain else 'a menu entry'} ({entry}) boots {arg}, a name that changes"
            related = tuple(dict.fromkeys(other.where for _entry, other in hits if other.where != arg.where))
            fix = _by_uuid(arg, [e for e, a in hits if a.value == arg.value], lines, defaults, devices)
            yield self.finding(arg.where, message, _effect(severity, entry), severity=severity, fix=fix, related=related)


def _certain(bootloader: Bootloader, hit: list[BootEntry]) -> list[BootEntry]:
    """The flagged entries that boot by default; when the default is undecidable, all of them if no other entry could be it."""
    if bootloader.defaults:
        return [entry for entry in hit if entry in bootloader.defaults]
    usual = [entry for entry in bootloader.all_entries if entry.kernel and not entry.is_rescue]
    return hit if hit and all(entry in hit for entry in usual) else []


def _changes(arg: KernelArg, target: Target, blocks: BlockTable) -> bool:
    value = arg.value or ""
    return kernel_fate(value, target, blocks) is not Fate.KEPT or name_kind(value) is NameKind.HARDWARE


def _severity(arg: KernelArg, target: Target, blocks: BlockTable, fatal: bool) -> Severity:
    moved = kernel_fate(arg.value or "", target, blocks) is Fate.ORDER
    return Severity.ERROR if fatal and not moved else Severity.WARNING


def _repaired(bootloader: Bootloader, arg: KernelArg, lines: CommandLines, defaults: GrubDefaults) -> Severity:
    if bootloader.loader == "grub-legacy" and name_kind(arg.value or "") is NameKind.KERNEL:
        return Severity.INFO
    wanted = any(source.name == arg.name and source.value == arg.value for source in lines.sources)
    switches = defaults.value("GRUB_DISABLE_LINUX_UUID"), defaults.value("GRUB_DISABLE_LINUX_PARTUUID")
    wanted = wanted or (switches[0] == "true" and switches[1] != "false")
    return Severity.ERROR if wanted or bootloader.loader != "grub2" else Severity.WARNING


def _effect(severity: Severity, entry: BootEntry) -> str:
    if severity is Severity.ERROR and not entry.has_initrd:
        return "the kernel finds no root filesystem and panics"
    return {
        Severity.ERROR: "the initramfs waits for a root device that never appears and ends in its shell",
        Severity.WARNING: "this entry does not find its root filesystem when it is booted",
        Severity.INFO: "virt-v2v renames it on the way; a raw copy would not find its root filesystem",
    }[severity]


def _by_uuid(arg: KernelArg, entries: list[BootEntry], lines: CommandLines, defaults: GrubDefaults, devices: Devices) -> Fix | None:
    lasting = devices.lasting(arg.value or "")
    if lasting is None:
        return None
    text = lasting.text
    if not all(entry.has_initrd for entry in entries):
        if not lasting.device.part_uuid:
            return None
        text = f"PARTUUID={lasting.device.part_uuid}"
    edits: tuple[Edit, ...] = lines.replace_value(arg.name, arg.value or "", text)
    switch = defaults.get("GRUB_DISABLE_LINUX_UUID")
    if edits and switch and switch.value == "true" and switch.value_at:
        edits = (*edits, ReplaceText(switch.value_at.where, "true", "false"))
    safety = Applicability.SAFE if lasting.certain else Applicability.UNSAFE
    return Fix(f"boot {arg.name}={text} in every entry", safety, edits) if edits else None
