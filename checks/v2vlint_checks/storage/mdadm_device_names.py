"""Rule mdadm-device-names."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Fix,
    Link,
    MdadmConf,
    MountsVerdict,
    ReplaceText,
    RootVerdict,
    Rule,
    Severity,
    Stage,
    Token,
)

_MEMBER = BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "linux_raid_member", "8c2f")
_ARRAY = BlockDevice("md/0", "md", 1 << 30, 0, 0, "ext4", "aa-11", parents=("disk1p1",))
_RENAMED = "udev assembles the array under another name, and entries that use this one do not find it"
_EARLY = "the array with the root is not assembled, and boot stops in the initramfs"


class MdadmDeviceNames(Rule):
    """mdadm.conf restricts RAID members to the kernel's device names.

    ## What it does
    Finds `DEVICE` lines and `devices=` lists in mdadm.conf with names that the target does not keep.

    ## Why it matters
    mdadm scans only devices that the file permits: the arrays are not assembled. Arrays listed by UUID, or not listed at all, are assembled
    automatically; where udev assembles them, so are those whose `devices=` list does not fit, but under another name. The initramfs has a
    copy of the file, which decides about the array with the root.

    ## Fix safety
    Safe: `DEVICE partitions containers` is the default and scans every partition; the superblock states which array a member belongs to.
    An exact copy of the file in an initramfs is updated with it; another one needs a new initramfs.

    ## References
    - mdadm.conf(5), `DEVICE`; mdadm(8), "incremental mode"
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
        Example(
            {"/etc/mdadm/mdadm.conf": "DEVICE /dev/sda1 /dev/sdb1\n", "/etc/mdadm.conf": Link("mdadm/mdadm.conf")},
            flags=("/etc/mdadm/mdadm.conf:1",),
            severity=Severity.WARNING,
            fixed={"/etc/mdadm/mdadm.conf": "DEVICE partitions containers\n"},
            title="a file with two names",
        ),
        Example(
            {
                "/etc/mdadm.conf": "ARRAY /dev/md0 devices=/dev/hda1,/dev/hdc1\n",
                "/usr/lib/udev/rules.d/64-md-raid-assembly.rules": "",
                "/etc/fstab": "UUID=aa-11 /srv ext4 defaults 0 0\n",
            },
            given=(BlockTable((_MEMBER, _ARRAY)),),
            flags=("/etc/mdadm.conf:1",),
            severity=Severity.WARNING,
            title="udev's mdadm --incremental does without a line that fits",
        ),
        Example({"/etc/mdadm/mdadm.conf": "DEVICE /dev/[sv]d* /dev/vd*\n"}),
        Example({"/etc/mdadm/mdadm.conf": "DEVICE /dev/sd* partitions\n"}),
        Example({"/etc/mdadm/mdadm.conf": "DEVICE partitions containers\nHOMEHOST <system>\nARRAY /dev/md/0 UUID=8c2f:1 name=h:0\n"}),
    )

    def check(self, mounts: MountsVerdict, root: RootVerdict, conf: MdadmConf) -> Iterator[Finding]:
        for cause in root.arrays:
            names = ", ".join(token.value for token in cause.about.tokens[:4])
            message = f"mdadm.conf in the initramfs permits {names}, names that change with the disk controller"
            fix = None if cause.about.array else _partitions(conf.scan, _among(conf.scan, cause.about.tokens))
            effect = _RENAMED if cause.about.renamed else _EARLY
            yield self.finding(cause.where, message, effect, severity=cause.severity, stage=Stage.ROOT, fix=fix)
        told = {cause.where for cause in root.arrays}
        for cause in mounts.md_names:
            if cause.where in told:  # reported above: the initramfs has a copy of the line
                continue
            tied = cause.about
            effect = "the arrays are not assembled" + (", and boot stops while waiting for what is on them" if tied.needed else "")
            names = ", ".join(token.value for token in tied.tokens[:4])
            if tied.array:
                message = f"{tied.array} is assembled from {names}, names that change"
                yield self.finding(cause.where, message, _RENAMED if tied.renamed else effect, severity=cause.severity)
            else:
                message = f"DEVICE permits {names}, names that change with the disk controller"
                fix = _partitions(conf.scan, tied.tokens)
                yield self.finding(cause.where, message, effect, severity=cause.severity, fix=fix)


def _among(scan: tuple[Token, ...], tied: tuple[Token, ...]) -> tuple[Token, ...]:
    """The guest's own words that the initramfs has as well."""
    values = {token.value for token in tied}
    return tuple(token for token in scan if token.value in values)


def _partitions(scan: tuple[Token, ...], tied: tuple[Token, ...]) -> Fix | None:
    """Replace the DEVICE line, if it is the only one and lists nothing but device names."""
    if len(tied) != len(scan) or len({token.where.line for token in scan}) != 1:
        return None
    words = ("partitions", "containers")
    edits = [ReplaceText(token.where, token.value, word) for token, word in zip(scan, words, strict=False)]
    edits += [ReplaceText(token.where, token.value, "") for token in scan[2:]]
    return Fix("look for RAID members on every partition", Applicability.SAFE, tuple(edits))
