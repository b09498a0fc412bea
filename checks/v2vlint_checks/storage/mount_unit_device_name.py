"""Rule mount-unit-device-name."""

import re
from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    DeviceMentions,
    Devices,
    Example,
    Finding,
    Fix,
    Link,
    MountPolicy,
    MountsVerdict,
    NameFate,
    NameKind,
    ReplaceText,
    Rule,
    Severity,
    Stage,
    Target,
    Token,
    Where,
    kernel_fate,
    name_kind,
)

_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_DATA = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "xfs", "1f0c-77")
_SWAP = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "swap", "5a-22")
_SWAP_UNIT = re.compile(r"\.swap(\.d/[^/]+)?$")


class MountUnitDeviceName(Rule):
    """A systemd mount or swap unit names a disk by a name that will change.

    ## What it does
    Finds `What=` settings of `.mount` and `.swap` units with kernel names or hardware paths.

    ## Why it matters
    The unit waits 90 seconds for a device that does not appear, then fails together with everything that requires it. If that includes
    `local-fs.target`, directly or through other mounts, the boot stops in emergency mode.

    ## Fix safety
    Safe where the device behind the name is known for certain; the UUID is read from its filesystem. A swap unit is left alone: it is
    called like its device, and systemd refuses one whose `What=` says otherwise.

    ## References
    - systemd.mount(5), systemd.swap(5)
    """

    severity = Severity.WARNING
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r"Timed out waiting for device (\S+ - )?(/dev/|dev-)[hsvx]+v?d[a-z]",)
    examples = (
        Example(
            {"/etc/systemd/system/srv.mount": "[Mount]\nWhat=/dev/sda3\nWhere=/srv\nType=xfs\n"},
            given=(BlockTable((_DISK, _DATA)),),
            flags=("/etc/systemd/system/srv.mount:2",),
            severity=Severity.WARNING,
            fixed={"/etc/systemd/system/srv.mount": "[Mount]\nWhat=/dev/disk/by-uuid/1f0c-77\nWhere=/srv\nType=xfs\n"},
        ),
        Example(
            {
                "/etc/systemd/system/srv.mount": "[Mount]\nWhat=/dev/sda3\nWhere=/srv\nType=xfs\n",
                "/etc/systemd/system/local-fs.target.requires/srv.mount": Link("../srv.mount"),
            },
            given=(BlockTable((_DISK, _DATA)),),
            flags=("/etc/systemd/system/srv.mount:2",),
            severity=Severity.ERROR,
            title="local-fs.target requires it",
        ),
        Example({"/etc/systemd/system/srv.mount": "[Mount]\n#What=/dev/sda3\nWhat=/dev/disk/by-uuid/1f0c-77\nWhere=/srv\n"}),
        Example({"/etc/systemd/system/srv.mount": "[Mount]\nWhat=/dev/sda3\n"}, target="kvm-scsi"),
        Example(
            {"/etc/systemd/system/dev-sda3.swap": "[Swap]\nWhat=/dev/sda3\n"},
            given=(BlockTable((_DISK, _SWAP)),),
            flags=("/etc/systemd/system/dev-sda3.swap:2",),
            fixed={},
            title="the unit would have to be called otherwise, too",
        ),
    )

    def check(
        self, mounts: MountsVerdict, mentions: DeviceMentions, policy: MountPolicy, devices: Devices, blocks: BlockTable, target: Target
    ) -> Iterator[Finding]:
        judged: set[Where] = set()
        causes = [(cause, cause.about.entry) for cause in mounts.kernel_names] + [(cause, cause.about) for cause in mounts.hardware_paths]
        for cause, entry in causes:
            if entry.unit and cause.severity is not None:
                judged.add(entry.spec.where)
                message = f"{entry.unit} mounts {entry.device}, a name that changes with the hardware"
                yield self.finding(cause.where, message, policy.effect(entry), severity=cause.severity, fix=_by_uuid(entry.spec, devices))
        for mention in mentions.mentions:
            changes = kernel_fate(mention.device, target, blocks) is NameFate.GONE or name_kind(mention.device) is NameKind.HARDWARE
            if mention.kind == "unit" and mention.key == "What" and changes and mention.name.where not in judged:
                unit = mention.where.path.rsplit("/", 1)[1]
                message = f"{unit} uses {mention.name}, a name that changes with the hardware"
                yield self.finding(mention.name.where, message, "the unit waits 90 s and fails", fix=_by_uuid(mention.name, devices))


def _by_uuid(name: Token, devices: Devices) -> Fix | None:
    lasting = devices.lasting(name.value)
    if lasting is None or _SWAP_UNIT.search(name.where.path):
        return None
    edit = ReplaceText(name.where, name.value, f"/dev/disk/by-uuid/{lasting.device.uuid}")
    return Fix("name the device by UUID", Applicability.SAFE if lasting.certain else Applicability.UNSAFE, (edit,))
