"""Rule fstab-hardware-path."""

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
    MountPolicy,
    MountsVerdict,
    Mover,
    ReplaceText,
    Rule,
    Severity,
    Stage,
)

_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_DATA = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "xfs", "1f0c-77")
_PATH = "/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part1"


class FstabHardwarePath(Rule):
    """An fstab entry names a disk by its controller's slot or its serial number.

    ## What it does
    Finds `/dev/disk/by-path/…` and those `/dev/disk/by-id/…` entries that contain a model, serial number or WWN. Names of LVM, RAID and
    LUKS devices in `by-id` travel with the disks and are fine.

    ## Why it matters
    The target has other slots, and its disks have other serial numbers (a virtio disk has no `by-id` link at all unless it is given one).
    virt-v2v renames `/dev/sda1` but leaves these links alone: unless `nofail` is set, boot stops in emergency mode.

    ## Fix safety
    Safe: the UUID is read from the partition with the number in the link, and only if the guest has a single disk.

    ## References
    - virt-v2v `convert/convert_linux.ml`, `remap_block_devices`: only `/dev/⟨letters⟩⟨digits⟩`, cciss and nvme are matched.
    - libguestfs pull request 300; systemd issue 17670 (virtio-blk has no by-id link without a serial).
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r"Timed out waiting for device .*by-(id|path)",)
    examples = (
        Example(
            {"/etc/fstab": f"{_PATH} /srv xfs defaults 0 0\n"},
            given=(BlockTable((_DISK, _DATA)),),
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            fixed={"/etc/fstab": "UUID=1f0c-77 /srv xfs defaults 0 0\n"},
        ),
        Example(
            {"/etc/fstab": "/dev/disk/by-id/ata-VMware_Virtual_SATA_0001-part2 /var ext4 defaults 0 2\n"},
            mover=Mover.VIRT_V2V,
            flags=("/etc/fstab:1",),
            severity=Severity.ERROR,
            title="virt-v2v does not see these",
        ),
        Example(
            {"/etc/fstab": f"{_PATH} /media/tape xfs nofail 0 0\n"},
            flags=("/etc/fstab:1",),
            severity=Severity.WARNING,
        ),
        Example(
            {
                "/etc/fstab": "/dev/disk/by-id/dm-uuid-LVM-abc /a xfs\n/dev/disk/by-id/lvm-pv-uuid-x /b xfs\n"
                f"/dev/disk/by-uuid/77 /c xfs\n#{_PATH} /d xfs\n{_PATH} /e xfs noauto\n"
            },
            title="names that travel with the disks, comments, noauto",
        ),
    )

    def check(self, mounts: MountsVerdict, devices: Devices, policy: MountPolicy) -> Iterator[Finding]:
        for cause in mounts.hardware_paths:
            entry = cause.about
            if entry.unit:
                continue
            what = "swap is on" if entry.is_swap else f"{entry.mount_point} is mounted from"
            message = f"{what} {entry.device}, a name made of the source's hardware"
            fix = _by_uuid(entry, devices)
            yield self.finding(cause.where, message, policy.effect(entry), severity=cause.severity, fix=fix)


def _by_uuid(entry: FstabEntry, devices: Devices) -> Fix | None:
    lasting = devices.lasting(entry.device, entry.fs_type, entry.mount_point)
    if lasting is None:
        return None
    edit = ReplaceText(entry.spec.where, expect=entry.spec.value, text=lasting.text)
    return Fix("use swap by UUID" if entry.is_swap else f"mount {entry.mount_point} by UUID", Applicability.SAFE, (edit,))
