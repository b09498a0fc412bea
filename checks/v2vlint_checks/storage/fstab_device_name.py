"""Rule fstab-device-name."""

import re
from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Fix,
    Fstab,
    FstabEntry,
    Mover,
    ReplaceText,
    Rule,
    Severity,
    Stage,
    Target,
)

_NAME = re.compile(r"/dev/(?:(?P<prefix>hd|sd|vd|xvd|nvme|ubd|dasd|mmcblk|cciss/|ida/|rd/)[\w/]*)")
_REPAIRED = re.compile(r"/dev/(hd|sd|vd|xvd)[a-z]+\d*|/dev/nvme\d+n1(p\d+)?")
_NEEDED = frozenset({"/", "/usr", "/boot", "/boot/efi", "/var"})

_ROOT = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", "0f3c5e3c-9f0b-4f0e-8a2f-5a3a4a0b7f11")


class FstabDeviceName(Rule):
    """An fstab entry names a disk by the kernel's device name.

    ## What it does
    Finds fstab entries whose first field is a name such as `/dev/sda1`, `/dev/hda2`, `/dev/xvda` or `/dev/nvme0n1p1`, on targets that
    name disks otherwise.

    ## Why it matters
    The name follows the disk controller and the order of discovery. Behind another controller the device does not exist: systemd waits
    90 seconds for it, then stops in emergency mode unless the entry has `nofail`. A swap entry only costs the wait.

    ## Fix safety
    Safe: the UUID is read from the very filesystem the entry names, and it is only offered when exactly one device fits.

    ## References
    - virt-v2v renames such entries itself: `convert/convert_linux.ml`, `remap_block_devices`.
    - fstab(5), systemd.mount(5)
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    examples = (
        Example(
            {"/etc/fstab": "# /dev/sda9 is a comment\n/dev/sda1 /boot ext4 defaults 0 2\n"},
            given=(BlockTable((_ROOT,)),),
            flags=("/etc/fstab:2",),
            severity=Severity.ERROR,
            fixed={"/etc/fstab": "# /dev/sda9 is a comment\nUUID=0f3c5e3c-9f0b-4f0e-8a2f-5a3a4a0b7f11 /boot ext4 defaults 0 2\n"},
        ),
        Example(
            {"/etc/fstab": "/dev/sdb1 /data xfs nofail 0 0\n/dev/sda5 none swap sw 0 0\n"},
            flags=("/etc/fstab:1", "/etc/fstab:2"),
            severity=Severity.WARNING,
            title="optional mounts and swap only cost time",
        ),
        Example(
            {"/etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n"},
            target="kvm",
            mover=Mover.VIRT_V2V,
            flags=("/etc/fstab:1",),
            severity=Severity.INFO,
            title="virt-v2v renames it",
        ),
        Example(
            {"/etc/fstab": "UUID=1c7e / ext4 defaults 0 1\n/dev/mapper/vg-home /home xfs defaults 0 0\n/dev/sr0 /mnt auto noauto 0 0\n"}
        ),
    )

    def check(self, fstab: Fstab, blocks: BlockTable, target: Target, mover: Mover) -> Iterator[Finding]:
        for entry in fstab.entries:
            match = _NAME.fullmatch(entry.device)
            if not match or "noauto" in entry.options or target.keeps_disk_name(match["prefix"]):
                continue
            severity = _severity(entry, mover)
            message = f"{entry.mount_point} is mounted from {entry.device}, a name that changes with the disk controller"
            if entry.is_swap:
                message = f"swap is on {entry.device}, a name that changes with the disk controller"
            yield self.finding(entry.spec.where, message, _effect(entry, severity), severity=severity, fix=_by_uuid(entry, blocks))


def _severity(entry: FstabEntry, mover: Mover) -> Severity:
    if mover is Mover.VIRT_V2V and _REPAIRED.fullmatch(entry.device):
        return Severity.INFO
    return Severity.ERROR if entry.blocks_boot or (entry.mount_point in _NEEDED and not entry.is_swap) else Severity.WARNING


def _effect(entry: FstabEntry, severity: Severity) -> str:
    if severity is Severity.INFO:
        return "virt-v2v renames it on the way; a raw copy would stop in emergency mode"
    if severity is Severity.ERROR:
        return "systemd waits 90 s for the device, then stops in emergency mode"
    return "boot waits 90 s for it and goes on without" if entry.is_swap else "it stays unmounted"


def _by_uuid(entry: FstabEntry, blocks: BlockTable) -> Fix | None:
    device = blocks.resolve(entry.device)
    if device is None or not device.uuid:
        return None
    edit = ReplaceText(entry.spec.where, expect=entry.spec.value, text=f"UUID={device.uuid}")
    return Fix(f"mount {entry.mount_point} by UUID", Applicability.SAFE, (edit,))
