"""Rule fstab-multipath-name."""

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
    Landing,
    MountPolicy,
    MountsVerdict,
    ReplaceText,
    Rule,
    Severity,
    Stage,
)

_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_BOOT = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "xfs", "aa-11")


class FstabMultipathName(Rule):
    """An fstab entry names a multipath device.

    ## What it does
    Finds `/dev/mapper/mpatha1`, maps named by WWID, and aliases given in multipath.conf or its bindings file.

    ## Why it matters
    The target's disk has a single path and another WWID. multipathd ignores virtio disks by default, so the map is not created and boot
    stops in emergency mode. On SCSI-like targets a map may appear under another name.

    ## Fix safety
    Safe: the UUID is read from the partition with the number in the name, and only if the guest has a single disk.

    ## References
    - rear pull request 1324 and issue 1796; systemd issue 23208
    - multipath.conf(5), `blacklist`, `user_friendly_names`
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    examples = (
        Example(
            {"/etc/fstab": "/dev/mapper/mpatha1 /boot xfs defaults 0 0\n"},
            given=(BlockTable((_DISK, _BOOT)),),
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            fixed={"/etc/fstab": "UUID=aa-11 /boot xfs defaults 0 0\n"},
        ),
        Example(
            {"/etc/fstab": "UUID=aa-11 /boot xfs defaults 0 0\n/dev/mapper/mpathb1 /oradata xfs defaults 0 0\n"},
            given=(BlockTable((_DISK, _BOOT)),),
            flags=("/etc/fstab:2",),
            fixed={},
            title="the only disk at hand is mounted elsewhere, so it is not the one meant",
        ),
        Example(
            {
                "/etc/multipath.conf": "multipaths {\n multipath {\n  wwid 36005\n  alias oradata\n }\n}\n",
                "/etc/fstab": "/dev/mapper/oradata-part1 /u01 xfs nofail 0 0\n",
            },
            flags=("/etc/fstab:1",),
            severity=Severity.WARNING,
        ),
        Example({"/etc/fstab": "/dev/mapper/vg-root / xfs\n/dev/mapper/luks-77 /home xfs\n", "/etc/multipath.conf": "# alias vg-root\n"}),
    )

    def check(self, mounts: MountsVerdict, devices: Devices, policy: MountPolicy, landing: Landing) -> Iterator[Finding]:
        vanishes = landing.prefixes <= {"vd", "xvd"}
        for cause in mounts.multipath:
            entry = cause.about
            effect = policy.effect(entry) if vanishes else "it may be missing, or have another name"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=_by_uuid(entry, devices))


def _by_uuid(entry: FstabEntry, devices: Devices) -> Fix | None:
    lasting = devices.lasting(entry.device, entry.fs_type, entry.mount_point)
    if lasting is None:
        return None
    text = f"/dev/disk/by-uuid/{lasting.device.uuid}" if entry.unit else lasting.text
    edit = ReplaceText(entry.spec.where, entry.spec.value, text)
    return Fix(f"name {entry.mount_point} by UUID", Applicability.SAFE, (edit,))
