"""Rule fstab-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Devices,
    Example,
    Finding,
    Fix,
    FstabEntry,
    KernelNamed,
    MountPolicy,
    MountsVerdict,
    Mover,
    NameFate,
    ReplaceText,
    Rule,
    Severity,
    Stage,
)

_UUID = "0f3c5e3c-9f0b-4f0e-8a2f-5a3a4a0b7f11"
_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_BOOT = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", _UUID)
_SWAP = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "swap", "5a-22")
_UNIT = "[Mount]\nWhat=/dev/sdb1\nWhere=/data\n[Install]\nWantedBy=local-fs.target\n"
_WANTED = {"/etc/systemd/system/local-fs.target.wants/data.mount": _UNIT}
_SECOND = BlockDevice("disk2", "disk", 2 << 30, 1)
_DATA = BlockDevice("disk2p1", "partition", 1 << 30, 1, 1, "xfs", "77aa")


class FstabDeviceName(Rule):
    """An fstab entry names a disk by the kernel's device name.

    ## What it does
    Finds fstab entries whose first field is a name such as `/dev/sda1`, `/dev/hda2`, `/dev/xvda`, `/dev/cciss/c0d0p1` or
    `/dev/nvme0n1p1`, on targets with other disk names. Where the target keeps the name, it still warns if there are several disks.

    ## Why it matters
    The name depends on the disk controller and the order of detection. Behind another controller the device does not exist: systemd waits
    90 seconds for it, then stops in emergency mode unless the entry has `nofail`. A swap entry only costs the wait. The root is already
    mounted from the device on the kernel command line: systemd continues, SysV scripts stop because fsck fails.

    ## Fix safety
    Safe if the UUID is read from the very filesystem that the entry names: exactly one device matches, it has the expected type, and the
    order of the disks is known. With several disks whose order had to be assumed, the fix is unsafe.

    ## References
    - virt-v2v renames such entries itself: `convert/convert_linux.ml`, `remap_block_devices`.
    - fstab(5), systemd.mount(5)
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (
        r"Timed out waiting for device (\S+ - )?(/dev/|dev-)[hsvx]+v?d[a-z]",
        r"special device /dev/[hsvx]+v?d[a-z]\S* does not exist",
        r"Dependency failed for (\S+ - )?/\S",
    )
    examples = (
        Example(
            {"/etc/fstab": "# /dev/sda9 is a comment\n/dev/sda1 /boot ext4 defaults 0 2\n"},
            given=(BlockTable((_DISK, _BOOT)),),
            flags=("/etc/fstab:2",),
            severity=Severity.ERROR,
            fixed={"/etc/fstab": f"# /dev/sda9 is a comment\nUUID={_UUID} /boot ext4 defaults 0 2\n"},
        ),
        Example(
            {"/etc/fstab": "/dev/sdb1 /data xfs nofail 0 0\n/dev/sda5 none swap sw 0 0\n"},
            flags=("/etc/fstab:1", "/etc/fstab:2"),
            severity=Severity.WARNING,
            title="optional mounts and swap only cost time",
        ),
        Example(
            {"/etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n"},
            flags=("/etc/fstab:1",),
            severity=Severity.WARNING,
            title="systemd continues with the root from the kernel command line",
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
            {"/etc/fstab": "/dev/cciss/c0d0p1 /boot ext3 defaults 0 2\n"},
            mover=Mover.VIRT_V2V,
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            title="virt-v2v only warns about HP Smart Array names",
        ),
        Example(
            {"/etc/fstab": "/dev/sda1 /boot ext4 defaults 0 2\n/dev/sdb1 /data xfs defaults 0 0\n"},
            given=(BlockTable((_DISK, _BOOT, _SECOND, _DATA)),),
            target="kvm-scsi",
            flags=("/etc/fstab:1", "/etc/fstab:2"),
            severity=Severity.WARNING,
            fixed={"/etc/fstab": f"UUID={_UUID} /boot ext4 defaults 0 2\nUUID=77aa /data xfs defaults 0 0\n"},
            title="the names stay, but nobody promises the order of two disks",
        ),
        Example(
            {"/etc/fstab": "/dev/hda1 /boot ext3 defaults 1 2\n/dev/hdb1 /data ext3 defaults 0 0\n", "/etc/inittab": "id:3:initdefault:\n"},
            flags=("/etc/fstab:1", "/etc/fstab:2"),
            severity=Severity.ERROR,
            title="SysV scripts stop where fsck fails",
        ),
        Example(
            {"/etc/fstab": "/dev/sda2 none swap sw 0 0\n", "/etc/systemd/system/data.mount": _UNIT, **_WANTED},
            given=(BlockTable((_DISK, _SWAP)),),
            flags=("/etc/fstab:1",),
            severity=Severity.WARNING,
            fixed={"/etc/fstab": "UUID=5a-22 none swap sw 0 0\n"},
            title="swap; mount units have a rule of their own",
        ),
        Example({"/etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n"}, given=(BlockTable((_DISK, _BOOT)),), target="kvm-scsi"),
        Example(
            {"/etc/fstab": "UUID=1c7e / ext4 defaults 0 1\n/dev/mapper/vg-home /home xfs defaults 0 0\n/dev/sr0 /mnt auto noauto 0 0\n"}
        ),
        Example({"/etc/fstab": "/dev/sdb1 /mnt ext4 noauto 0 0\n/dev/fd0 /media/floppy auto rw,user,noauto 0 0\n/dev/md0 /srv xfs\n"}),
    )

    def check(self, mounts: MountsVerdict, devices: Devices, policy: MountPolicy) -> Iterator[Finding]:
        for cause in mounts.kernel_names:
            named = cause.about
            entry, moved = named.entry, named.fate is NameFate.ORDER
            # mount-unit-device-name reports mount units.
            if entry.unit:
                continue
            why = "a name that depends on the order of the disks" if moved else "a name that changes with the disk controller"
            what = "swap is on" if entry.is_swap else f"{entry.mount_point} is mounted from"
            effect = _effect(named, cause.severity, policy)
            fix = _by_uuid(entry, devices)
            yield self.finding(cause.where, f"{what} {entry.device}, {why}", effect, severity=cause.severity, fix=fix)


def _effect(named: KernelNamed, severity: Severity | None, policy: MountPolicy) -> str:
    renamed = f"virt-v2v renames it to {named.after}" if named.after != named.entry.device else ""
    if severity is Severity.INFO:
        return f"{renamed}; after a raw copy {policy.effect(named.entry)}"
    if renamed:
        return f"{renamed}, which does not exist either: {policy.effect(named.entry)}"
    if named.fate is NameFate.ORDER:
        return "when the disks come up in another order, the wrong one is used, or none"
    return policy.effect(named.entry)


def _by_uuid(entry: FstabEntry, devices: Devices) -> Fix | None:
    lasting = devices.lasting(entry.device, entry.fs_type, entry.mount_point)
    if lasting is None:
        return None
    edit = ReplaceText(entry.spec.where, expect=entry.spec.value, text=lasting.text)
    safety = Applicability.SAFE if lasting.certain else Applicability.UNSAFE
    return Fix(f"use swap by UUID ({entry.device})" if entry.is_swap else f"mount {entry.mount_point} by UUID", safety, (edit,))
