"""Rule mount-unit-missing-device."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Link,
    MountPolicy,
    MountsVerdict,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Unknown,
)

_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_ROOT = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ext4", "aa-11", "root")
_BLOCKS = BlockTable((_DISK, _ROOT))


class MountUnitMissingDevice(Rule):
    """A mount requires a device that is on none of the disks.

    ## What it does
    Compares `What=` of mount units with the filesystems on the disks, and also the devices named in `Requires=` and
    `x-systemd.requires=`. Lines of fstab are the subject of `fstab-missing-device`.

    ## Why it matters
    systemd waits 90 seconds for the device, then fails the mount and every unit that requires it. If that includes `local-fs.target`, the
    boot stops in emergency mode.

    ## References
    - systemd.mount(5), systemd.unit(5), systemd-fstab-generator(8)
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r"Timed out waiting for device (?!\S*sys-subsystem)", r"Dependency failed for (\S+ - )?/\S")
    examples = (
        Example(
            {
                "/etc/systemd/system/data.mount": "[Mount]\nWhat=/dev/disk/by-uuid/dead\nWhere=/data\n",
                "/etc/systemd/system/local-fs.target.requires/data.mount": Link("../data.mount"),
            },
            given=(_BLOCKS,),
            flags=("/etc/systemd/system/data.mount:2",),
            severity=Severity.ERROR,
        ),
        Example(
            {
                "/etc/systemd/system/data.mount": "[Mount]\nWhat=/dev/disk/by-uuid/dead\nWhere=/data\n",
                "/etc/systemd/system/multi-user.target.wants/data.mount": Link("../data.mount"),
            },
            given=(_BLOCKS,),
            flags=("/etc/systemd/system/data.mount:2",),
            severity=Severity.WARNING,
            title="nothing requires it",
        ),
        Example(
            {"/etc/fstab": "tmpfs /scratch tmpfs x-systemd.requires=/dev/sdz1 0 0\n"},
            given=(_BLOCKS,),
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            title="a device that a mount requires",
        ),
        Example({"/etc/systemd/system/data.mount": "[Mount]\nWhat=/dev/disk/by-uuid/dead\nWhere=/data\n"}, given=(_BLOCKS,)),
    )

    def check(self, mounts: MountsVerdict, blocks: BlockTable, policy: MountPolicy) -> Iterator[Finding | Unknown]:
        if not blocks.devices:
            raise NotApplicable("no block devices are known")
        for cause in mounts.missing:
            entry = cause.about
            if entry is None or cause.where is None or not entry.unit:
                continue
            if cause.severity is None:
                yield self.unknown(cause.where, cause.reason)
            else:
                yield self.finding(cause.where, cause.reason, policy.effect(entry), severity=cause.severity)
        for required in mounts.required:
            if required.severity is not None:
                yield self.finding(required.where, required.reason, policy.effect(required.about.entry), severity=required.severity)
