"""Rule fstab-missing-device."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Fix,
    FstabEntry,
    MountPolicy,
    MountsVerdict,
    NotApplicable,
    ReplaceText,
    Rule,
    Severity,
    Stage,
    Unknown,
    sample_boot,
    sample_initramfs,
)

# Without one of these a guest that boots is of little use: nofail would only hide the fault.
_VITAL = frozenset({"/", "/usr", "/var", "/etc", "/boot", "/boot/efi", "/home", "/opt"})
_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_ROOT = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", "aa-11", "root", part_uuid="5e1d-01")
_LV = BlockDevice("vg/home", "lv", 1 << 30, 0, 0, "xfs", "cc-33", parents=("disk1p1",))
_BLOCKS = BlockTable((_DISK, _ROOT, _LV))
_INIT = "#!/bin/sh\nmountroot\nif read_fstab_entry /usr; then\n\tmountfs /usr\nfi\n"


class FstabMissingDevice(Rule):
    """An fstab entry names a filesystem that is on none of the disks.

    ## What it does
    Compares UUID=, LABEL=, PARTUUID=, PARTLABEL=, logical volumes and names such as /dev/sdb1 in fstab with the devices on the disks. A
    cloud's machine may have disks of its own; kernel names beyond the guest's are not judged there.

    ## Why it matters
    A disk was left behind, or the entry is stale and the source has not been rebooted since. systemd waits 90 seconds for the device and
    stops in emergency mode, unless the entry has `nofail`. For `/usr` that does not help if the initramfs mounts it: initramfs-tools waits
    for the device and opens a shell, dracut without systemd (since 021) opens it at once.

    ## Fix safety
    Unsafe: `nofail` lets the guest come up without the data; only its owner knows whether that is acceptable. Not offered for system
    directories.

    ## References
    - systemd-fstab-generator(8), fstab(5); initramfs-tools `init` ("mountfs /usr"), dracut `98usrmount/mount-usr.sh`
    - systemd issue 17670; AWS VM Import also adds `nofail` (import-modify-vm).
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (
        r"Timed out waiting for device (?!\S*sys-subsystem)",
        r"special device \S+ does not exist",
        r"can't find (UUID|LABEL)=",
        r"Dependency failed for (\S+ - )?(/\S|Local File Systems)",
    )
    examples = (
        Example(
            {"/etc/fstab": "UUID=aa-11 / ext4 defaults 0 1\nUUID=dead /data xfs defaults 0 2\n"},
            given=(_BLOCKS,),
            flags=("/etc/fstab:2",),
            severity=Severity.ERROR,
            fixed={"/etc/fstab": "UUID=aa-11 / ext4 defaults 0 1\nUUID=dead /data xfs defaults,nofail 0 2\n"},
        ),
        Example(
            {"/etc/fstab": "LABEL=gone none swap sw 0 0\n/dev/mapper/vg-srv /srv xfs nofail\n/dev/vg/var /var xfs\n"},
            given=(_BLOCKS,),
            flags=("/etc/fstab:1", "/etc/fstab:2", "/etc/fstab:3"),
            severity=Severity.WARNING,
            fixed={"/etc/fstab": "LABEL=gone none swap sw,nofail 0 0\n/dev/mapper/vg-srv /srv xfs nofail\n/dev/vg/var /var xfs\n"},
        ),
        Example(
            {"/etc/fstab": "/dev/vdb1 /data xfs defaults 0 2\n"},
            given=(_BLOCKS,),
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            fixed={"/etc/fstab": "/dev/vdb1 /data xfs defaults,nofail 0 2\n"},
            title="a second disk that the guest does not have",
        ),
        Example(
            {"/etc/fstab": "UUID=dead /data xfs defaults 0 2\n"},
            given=(BlockTable((_DISK, _ROOT), complete=False),),
            unknown=True,
            title="not all disks could be read",
        ),
        Example(
            {**sample_boot(image=sample_initramfs(files={"init": _INIT})), "/etc/fstab": "UUID=dead /usr ext4 nofail 0 0\n"},
            given=(_BLOCKS,),
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            title="the initramfs mounts /usr whatever its options",
        ),
        Example(
            {
                "/etc/fstab": 'UUID="AA-11" / ext4 defaults 0 1\nPARTUUID=5e1d-01 /x ext4\nLABEL=root /y ext4\n'
                "/dev/mapper/vg-home /home xfs\n/dev/vg/home /h xfs\n/dev/disk/by-uuid/aa-11 /z ext4\ntmpfs /tmp tmpfs\n"
                "srv:/x /n nfs\n/swapfile none swap sw\n"
                "/dev/sr0 /cd auto ro\n/srv/a /b none bind\nUUID=dead /old xfs noauto\n"
            },
            given=(_BLOCKS,),
        ),
    )

    def check(self, mounts: MountsVerdict, blocks: BlockTable, policy: MountPolicy) -> Iterator[Finding | Unknown]:
        if not blocks.devices:
            raise NotApplicable("no block devices are known")
        for cause in mounts.missing:
            if (entry := cause.about) is None or cause.where is None or entry.unit:
                continue
            if cause.severity is None:
                yield self.unknown(cause.where, cause.reason)
            else:
                yield self.finding(cause.where, cause.reason, policy.effect(entry), severity=cause.severity, fix=_nofail(entry))


def _nofail(entry: FstabEntry) -> Fix | None:
    if entry.options_at is None or entry.mount_point in _VITAL or entry.nofail:
        return None
    options = ",".join(entry.options)
    edit = ReplaceText(entry.options_at, options, f"{options},nofail")
    return Fix(f"let boot continue without {entry.device}", Applicability.UNSAFE, (edit,))
