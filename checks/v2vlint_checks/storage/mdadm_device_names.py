"""Rule mdadm-device-names."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Fix,
    MdadmConf,
    MountsVerdict,
    ReplaceText,
    Rule,
    Severity,
    Stage,
    Token,
)

_MEMBER = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "linux_raid_member", "8c2f")
_ARRAY = BlockDevice("md/0", "md", 1 << 30, 0, 0, "ext4", "aa-11", parents=("disk1p1",))


class MdadmDeviceNames(Rule):
    """mdadm.conf restricts RAID members to the kernel's device names.

    ## What it does
    Finds `DEVICE` lines and `devices=` lists in mdadm.conf with names that the target does not keep.

    ## Why it matters
    mdadm scans only devices that the file permits: the arrays are not assembled. Arrays listed by UUID, or not listed at all, are assembled
    automatically.

    ## Fix safety
    Safe: `DEVICE partitions containers` is the default and scans every partition; the superblock states which array a member belongs to.

    ## References
    - mdadm.conf(5), `DEVICE`
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r"mdadm: (No arrays found|no devices found)",)
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
        Example(
            {"/etc/mdadm/mdadm.conf": "DEVICE /dev/sda* /dev/sd[b-d]1\n", "/etc/fstab": "UUID=aa-11 /srv ext4 defaults 0 0\n"},
            given=(BlockTable((_MEMBER, _ARRAY)),),
            flags=("/etc/mdadm/mdadm.conf:1",),
            severity=Severity.ERROR,
            fixed={"/etc/mdadm/mdadm.conf": "DEVICE partitions containers\n"},
            title="patterns that match no disk on the target",
        ),
        Example({"/etc/mdadm/mdadm.conf": "DEVICE /dev/[sv]d* /dev/vd*\n"}),
        Example({"/etc/mdadm/mdadm.conf": "DEVICE /dev/sd* partitions\n"}),
        Example({"/etc/mdadm/mdadm.conf": "DEVICE partitions containers\nHOMEHOST <system>\nARRAY /dev/md/0 UUID=8c2f:1 name=h:0\n"}),
    )

    def check(self, mounts: MountsVerdict, conf: MdadmConf) -> Iterator[Finding]:
        for cause in mounts.md_names:
            tied = cause.about
            effect = "the arrays are not assembled" + (", and boot stops while waiting for what is on them" if tied.needed else "")
            names = ", ".join(token.value for token in tied.tokens[:4])
            if tied.array:
                message = f"{tied.array} is assembled from {names}, names that change"
                yield self.finding(cause.where, message, effect, severity=cause.severity)
            else:
                message = f"DEVICE permits {names}, names that change with the disk controller"
                fix = _partitions(conf.scan, tied.tokens)
                yield self.finding(cause.where, message, effect, severity=cause.severity, fix=fix)


def _partitions(scan: tuple[Token, ...], tied: tuple[Token, ...]) -> Fix | None:
    """Replace the DEVICE line, if it is the only one and lists nothing but device names."""
    if len(tied) != len(scan) or len({token.where.line for token in scan}) != 1:
        return None
    words = ("partitions", "containers")
    edits = [ReplaceText(token.where, token.value, word) for token, word in zip(scan, words, strict=False)]
    edits += [ReplaceText(token.where, token.value, "") for token in scan[2:]]
    return Fix("look for RAID members on every partition", Applicability.SAFE, tuple(edits))
