"""Rule mount-unit-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    DeviceMention,
    DeviceMentions,
    Devices,
    Example,
    Fate,
    Finding,
    Fix,
    NameKind,
    ReplaceText,
    Rule,
    Severity,
    Target,
    kernel_fate,
    name_kind,
)

_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_DATA = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "xfs", "1f0c-77")


class MountUnitDeviceName(Rule):
    """A systemd mount or swap unit names a disk by a name that will change.

    ## What it does
    Finds `What=` settings of `.mount` and `.swap` units in `/etc/systemd/system` with kernel names or hardware paths.

    ## Why it matters
    The unit waits 90 seconds for a device that does not appear, and fails together with everything that requires it.

    ## Fix safety
    Safe where the device behind the name is known for certain; the UUID is read from its filesystem.

    ## References
    - systemd.mount(5), systemd.swap(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/systemd/system/srv.mount": "[Mount]\nWhat=/dev/sda3\nWhere=/srv\nType=xfs\n"},
            given=(BlockTable((_DISK, _DATA)),),
            flags=("/etc/systemd/system/srv.mount:2",),
            severity=Severity.WARNING,
            fixed={"/etc/systemd/system/srv.mount": "[Mount]\nWhat=/dev/disk/by-uuid/1f0c-77\nWhere=/srv\nType=xfs\n"},
        ),
        Example({"/etc/systemd/system/srv.mount": "[Mount]\n#What=/dev/sda3\nWhat=/dev/disk/by-uuid/1f0c-77\nWhere=/srv\n"}),
        Example({"/etc/systemd/system/srv.mount": "[Mount]\nWhat=/dev/sda3\n"}, target="kvm-scsi"),
    )

    def check(self, mentions: DeviceMentions, devices: Devices, blocks: BlockTable, target: Target) -> Iterator[Finding]:
        for mention in mentions.mentions:
            changes = kernel_fate(mention.device, target, blocks) is Fate.GONE or name_kind(mention.device) is NameKind.HARDWARE
            if mention.kind == "unit" and mention.key == "What" and changes:
                unit = mention.where.path.rsplit("/", 1)[1]
                message = f"{unit} uses {mention.name}, a name that changes with the hardware"
                yield self.finding(mention.name.where, message, "the unit waits 90 s and fails", fix=_by_uuid(mention, devices))


def _by_uuid(mention: DeviceMention, devices: Devices) -> Fix | None:
    lasting = devices.lasting(mention.device)
    if lasting is None:
        return None
    edit = ReplaceText(mention.name.where, mention.name.value, f"/dev/disk/by-uuid/{lasting.device.uuid}")
    return Fix("name the device by UUID", Applicability.SAFE if lasting.certain else Applicability.UNSAFE, (edit,))
