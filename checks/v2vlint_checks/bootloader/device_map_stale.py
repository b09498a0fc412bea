"""Rule device-map-stale."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockTable,
    Bootloader,
    Delete,
    DeviceMap,
    DriveMapping,
    Example,
    Finding,
    Fix,
    NameFate,
    NameKind,
    Rule,
    Severity,
    Target,
    kernel_fate,
    name_kind,
)

_CFG = "menuentry 'Debian' {\n linux /boot/vmlinuz-6.1.0 root=UUID=1\n initrd /boot/initrd.img-6.1.0\n}\n"


class DeviceMapStale(Rule):
    """GRUB's device map uses device names that will change.

    ## What it does
    Finds kernel names and hardware paths in `/boot/grub/device.map` and `/boot/grub2/device.map`.

    ## Why it matters
    The map plays no part in booting. grub-install and grub-mkconfig read it, and may fail or install to the wrong disk at the next update.
    GRUB 2 detects the drives itself when there is no map; GRUB legacy needs a correct one.

    ## Fix safety
    Safe with GRUB 2: the map is deleted, and recreated when needed. GRUB legacy's map is left alone: rewriting it blindly has broken
    SUSE guests (stage1 Error 21).

    ## References
    - GRUB manual, "Device map"; libguestfs/virt-v2v issue 80; vjailbreak issue 2012
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(
            {"/boot/grub/device.map": "# (hd1) /dev/sdb\n(hd0)\t/dev/sda\n", "/boot/grub/grub.cfg": _CFG},
            flags=("/boot/grub/device.map:2",),
            severity=Severity.INFO,
            fixed={"/boot/grub/device.map": None},
        ),
        Example(
            {
                "/boot/grub/device.map": "(hd0) /dev/hda\n(fd0) /dev/fd0\n",
                "/boot/grub/menu.lst": "title x\n kernel /vmlinuz root=LABEL=/\n",
            },
            flags=("/boot/grub/device.map:1",),
            severity=Severity.WARNING,
            title="GRUB legacy",
        ),
        Example({"/boot/grub/device.map": "(hd0) /dev/sda\n(fd0) /dev/fd0\n"}, target="kvm-scsi"),
        Example({"/boot/grub/device.map": "(hd0) /dev/disk/by-id/dm-name-raid\n"}),
    )

    def check(self, drives: DeviceMap, bootloader: Bootloader, blocks: BlockTable, target: Target) -> Iterator[Finding]:
        stale = [drive for drive in drives.drives if _changes(drive, blocks, target)]
        legacy = bootloader.loader == "grub-legacy"
        for path in dict.fromkeys(drive.device.where.path for drive in stale):
            first = next(drive for drive in stale if drive.device.where.path == path)
            message = f"the device map says that {first.drive} is {first.device}, a name that changes"
            effect = "booting is not affected; reinstalling GRUB may go to the wrong disk or fail"
            # grub-install of GRUB 2 finds the disks without it, that of GRUB legacy relies on it.
            fix = Fix("delete the device map", Applicability.SAFE, (Delete(path),)) if bootloader.loader == "grub2" else None
            severity = Severity.WARNING if legacy else Severity.INFO
            yield self.finding(first.device.where, message, effect, severity=severity, fix=fix)


def _changes(drive: DriveMapping, blocks: BlockTable, target: Target) -> bool:
    device = drive.device.value
    return kernel_fate(device, target, blocks) is NameFate.GONE or name_kind(device) is NameKind.HARDWARE
