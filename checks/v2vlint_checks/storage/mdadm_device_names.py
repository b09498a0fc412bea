"""Rule mdadm-device-names."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    BootNeeds,
    Example,
    Fate,
    Finding,
    Fix,
    MdadmConf,
    NameKind,
    ReplaceText,
    Rule,
    Severity,
    Stage,
    Target,
    Token,
    kernel_fate,
    name_kind,
)

_MEMBER = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "linux_raid_member", "8c2f")
_ARRAY = BlockDevice("md/0", "md", 1 << 30, 0, 0, "ext4", "aa-11", parents=("disk1p1",))


class MdadmDeviceNames(Rule):
    """mdadm.conf restricts RAID members to the kernel's device names.

    ## What it does
    Finds `DEVICE` lines and `devices=` lists in mdadm.conf with names that the target does not keep.

    ## Why it matters
    mdadm only looks at devices that the file permits: the arrays are not assembled. Arrays named by UUID, or not listed at all, assemble
    by themselves.

    ## Fix safety
    Safe: `DEVICE partitions containers` is the default and looks at every partition; which array a member belongs to is in its superblock.

    ## References
    - mdadm.conf(5), `DEVICE`
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    examples = (
        Example(
            {
                "/etc/mdadm/mdadm.conf": "#DEVICE /dev/sdz1\nDEVICE /dev/sda1 /dev/sdb1\nARRAY /dev/md/0 UUID=8c2f\n",
                "/etc/fstab": "UUID=aa-11 /srv ext4 defaults 0 0\n",
            },
            given=(BlockTable((_MEMBER, _ARRAY)),),
            flags=("/etc/mdadm/mdadm.conf:2",),
            severity=Severity.ERROR,
            fixed={"/etc/mdadm/mdadm.conf": "#DEVICE /dev/sdz1\nDEVICE partitions containers\nARRAY /dev/md/0 UUID=8c2f\n"},
        ),
        Example(
            {"/etc/mdadm.conf": "ARRAY /dev/md0 devices=/dev/hda1,/dev/hdc1\n"},
            flags=("/etc/mdadm.conf:1",),
            severity=Severity.WARNING,
        ),
        Example({"/etc/mdadm/mdadm.conf": "DEVICE partitions containers\nHOMEHOST <system>\nARRAY /dev/md/0 UUID=8c2f:1 name=h:0\n"}),
    )

    def check(self, conf: MdadmConf, blocks: BlockTable, needs: BootNeeds, target: Target) -> Iterator[Finding]:
        tied = [token for token in conf.scan if _changes(token, target, blocks)]
        needed = any(device.kind == "md" and needs.needs(device.name) for device in blocks)
        severity = Severity.ERROR if needed else Severity.WARNING
        effect = "the arrays are not assembled, and boot stops waiting for what is on them" if needed else "the arrays are not assembled"
        if tied:
            message = f"DEVICE permits {', '.join(token.value for token in tied[:4])}, names that change with the disk controller"
            yield self.finding(tied[0].where, message, effect, severity=severity, fix=_partitions(conf.scan, tied))
        for array in conf.arrays:
            members = [token for token in array.devices if _changes(token, target, blocks)]
            if members:
                message = f"{array.device} is made of {', '.join(token.value for token in members[:4])}, names that change"
                yield self.finding(members[0].where, message, effect, severity=severity)


def _changes(token: Token, target: Target, blocks: BlockTable) -> bool:
    gone = kernel_fate(token.value, target, blocks) is Fate.GONE
    return "*" not in token.value and (gone or name_kind(token.value) is NameKind.HARDWARE)


def _partitions(scan: tuple[Token, ...], tied: list[Token]) -> Fix | None:
    """Replace the one DEVICE line when all of its words are names."""
    if len(tied) != len(scan) or len({token.where.line for token in scan}) != 1:
        return None
    words = ("partitions", "containers")
    edits = [ReplaceText(token.where, token.value, word) for token, word in zip(scan, words, strict=False)]
    edits += [ReplaceText(token.where, token.value, "") for token in scan[2:]]
    return Fix("look for RAID members on every partition", Applicability.SAFE, tuple(edits))
