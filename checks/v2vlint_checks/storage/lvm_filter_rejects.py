"""Rule lvm-filter-rejects."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    Fix,
    LvmConf,
    MountsVerdict,
    NotApplicable,
    Rejected,
    ReplaceText,
    RootVerdict,
    Rule,
    Severity,
    Span,
    Stage,
    Unknown,
)

_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_PV = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "LVM2_member", "p2Qx-1")
_LV = BlockDevice("vg/home", "lv", 1 << 30, 0, 0, "xfs", "cc-33", parents=("disk1p2",))
_BLOCKS = BlockTable((_DISK, _PV, _LV))
_CONF = 'devices {\n\t# filter = [ "r|.*|" ]\n\tfilter = [ "a|^/dev/sda2$|", "r|.*|" ]\n}\n'
_FIXED = _CONF.replace('[ "a|^/dev/sda2', '[ "a|^/dev/vda2$|", "a|^/dev/sda2')
_DATA = BlockDevice("disk2", "disk", 1 << 30, 1, 0, "LVM2_member", "p2Qx-2")
_TWO = BlockTable((_DISK, _PV, BlockDevice("disk2", "disk", 1 << 30, 1), _DATA))
_EARLY = "the volume with the root is missing, and boot stops in the initramfs"


class LvmFilterRejects(Rule):
    """LVM's filter rejects the disks under the names they get on the target.

    ## What it does
    Evaluates `filter` and `global_filter` of lvm.conf and lvmlocal.conf against the physical volumes, under their names on the target.
    Commented-out settings in the stock file are ignored, and so are all filters where LVM uses a devices file, as LVM does itself.

    ## Why it matters
    LVM does not see the physical volumes, so their logical volumes are missing. Host-only initramfs images contain a copy of the file: then
    the root itself is not found.

    ## Fix safety
    Safe: patterns that accept the physical volumes under their names on the target, and nothing else, are inserted at the front. Exact
    copies of the file in initramfs images are updated with it.

    ## References
    - rear issues 225 and 2651; lvm2 issue 104; dracut's lvm module copies lvm.conf
    - lvm.conf(5), `devices/filter`; lvmdevices(8)
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r'Volume group "?\S+?"? not found', r"Cannot process volume group", r"/dev/mapper/\S+ does not exist")
    examples = (
        Example(
            {"/etc/lvm/lvm.conf": _CONF, "/etc/fstab": "/dev/vg/home /home xfs defaults 0 0\n"},
            given=(_BLOCKS,),
            flags=("/etc/lvm/lvm.conf:3",),
            severity=Severity.ERROR,
            fixed={"/etc/lvm/lvm.conf": _FIXED},
        ),
        Example(
            {"/etc/lvm/lvm.conf": _CONF},
            given=(_TWO,),
            flags=("/etc/lvm/lvm.conf:3",),
            fixed={"/etc/lvm/lvm.conf": _FIXED.replace('"a|^/dev/sda2', '"a|^/dev/vdb$|", "a|^/dev/sda2')},
            title="two physical volumes, one of them a whole disk",
        ),
        Example(
            {"/etc/lvm/lvm.conf": 'devices {\n filter = "r|.*|" # none\n}\n'},
            given=(_BLOCKS,),
            flags=("/etc/lvm/lvm.conf:2",),
            fixed={"/etc/lvm/lvm.conf": 'devices {\n filter = [ "a|^/dev/vda2$|", "r|.*|" ] # none\n}\n'},
            title="a single pattern needs no brackets, two do",
        ),
        Example({"/etc/lvm/lvm.conf": _CONF}, given=(_BLOCKS,), flags=("/etc/lvm/lvm.conf:3",), severity=Severity.WARNING),
        Example({"/etc/lvm/lvm.conf": _CONF}, given=(_BLOCKS,), target="kvm-scsi", title="sda2 stays sda2"),
        Example({"/etc/lvm/lvm.conf": 'devices {\n filter = [ "r|(|", "a|.*|" ]\n}\n'}, given=(_BLOCKS,), unknown=True),
        Example(
            {"/etc/lvm/lvm.conf": 'devices {\n filter = [ "r|^/dev/sr0$|", "a|.*|" ]\n global_filter = [ "r|/dev/drbd.*|" ]\n}\n'},
            given=(_BLOCKS,),
        ),
        Example({"/etc/lvm/lvm.conf": _CONF}, given=(BlockTable((_DISK,)),), title="no physical volumes"),
    )

    def check(self, mounts: MountsVerdict, root: RootVerdict, conf: LvmConf, blocks: BlockTable) -> Iterator[Finding | Unknown]:
        if not any(device.fs_type == "LVM2_member" for device in blocks):
            raise NotApplicable("no physical volumes")
        yield from self._early(root, conf)
        told = {early.where for early in root.volumes}
        for cause in mounts.lvm_filters:
            rejected = cause.about
            if rejected is None and cause.where is not None:
                yield self.unknown(cause.where, cause.reason)
            elif rejected is not None and cause.where not in told:
                effect = "its logical volumes are missing" + (", and boot stops while waiting for them" if rejected.needed else "")
                yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=_accept(rejected))

    def _early(self, root: RootVerdict, conf: LvmConf) -> Iterator[Finding | Unknown]:
        for cause in root.volumes:
            if cause.about is not None:
                fix = _accept(_written(cause.about, conf))
                yield self.finding(cause.where, cause.reason, _EARLY, severity=cause.severity, stage=Stage.ROOT, fix=fix)
            elif cause.where is not None:
                yield self.unknown(cause.where, cause.reason)


def _written(rejected: Rejected, conf: LvmConf) -> Rejected | None:
    """The same for the guest's own file, if it has the filter in the initramfs."""
    words = [pattern.regex for pattern in rejected.setting.patterns]
    own = (one for one in conf.filters if one.name == rejected.setting.name and [pattern.regex for pattern in one.patterns] == words)
    return next((Rejected(one, rejected.volumes, rejected.needed) for one in own), None)


def _accept(rejected: Rejected | None) -> Fix | None:
    setting = rejected.setting if rejected else None
    if rejected is None or setting is None or not setting.patterns:
        return None
    # The first pattern that matches decides, so the new ones come before all others.
    first = setting.patterns[0].where
    start = Span(first.path, first.start, first.start, first.line, first.column)
    words = "".join(f'"a|^{paths[0]}$|", ' for _volume, paths in rejected.volumes)
    edits: tuple[ReplaceText, ...] = (ReplaceText(start, "", words),)
    if not setting.listed:
        where = setting.where
        end = Span(where.path, where.end, where.end, where.line, where.column + where.end - where.start)
        edits = (ReplaceText(start, "", f"[ {words}"), ReplaceText(end, "", " ]"))
    return Fix(f"accept the physical volumes' names on the target in {setting.name}", Applicability.SAFE, edits)
