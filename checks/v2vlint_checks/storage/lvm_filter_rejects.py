"""Rule lvm-filter-rejects."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    BootNeeds,
    Example,
    Finding,
    Fix,
    LvmConf,
    LvmFilter,
    NotApplicable,
    ReplaceText,
    Rule,
    Severity,
    Span,
    Stage,
    Target,
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


class LvmFilterRejects(Rule):
    """LVM's filter rejects the disks under the names they get on the target.

    ## What it does
    Evaluates `filter` and `global_filter` of lvm.conf and lvmlocal.conf for the physical volumes found, named as on the target. Commented
    settings in the stock file are documentation and ignored.

    ## Why it matters
    LVM does not see the physical volumes, so their logical volumes are missing. Host-only initramfs images hold a copy of the file: then
    root itself is not found.

    ## Fix safety
    Safe: patterns that accept the physical volumes found, under their names on the target and nothing else, are put in front. Exact copies
    of the file in initramfs images are renewed with it.

    ## References
    - rear issues 225 and 2651; lvm2 issue 104; dracut's lvm module copies lvm.conf
    - lvm.conf(5), `devices/filter`
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
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
        Example({"/etc/lvm/lvm.conf": _CONF}, given=(_BLOCKS,), flags=("/etc/lvm/lvm.conf:3",), severity=Severity.WARNING),
        Example({"/etc/lvm/lvm.conf": _CONF}, given=(_BLOCKS,), target="kvm-scsi", title="sda2 stays sda2"),
        Example({"/etc/lvm/lvm.conf": 'devices {\n filter = [ "r|(|", "a|.*|" ]\n}\n'}, given=(_BLOCKS,), unknown=True),
        Example(
            {"/etc/lvm/lvm.conf": 'devices {\n filter = [ "r|^/dev/sr0$|", "a|.*|" ]\n global_filter = [ "r|/dev/drbd.*|" ]\n}\n'},
            given=(_BLOCKS,),
        ),
        Example({"/etc/lvm/lvm.conf": _CONF}, given=(BlockTable((_DISK,)),), title="no physical volumes"),
    )

    def check(self, conf: LvmConf, blocks: BlockTable, needs: BootNeeds, target: Target) -> Iterator[Finding | Unknown]:
        volumes = tuple(device for device in blocks if device.fs_type == "LVM2_member")
        if not volumes:
            raise NotApplicable("no physical volumes")
        for setting in conf.filters:
            verdicts = {(volume, prefix): setting.accepts(*_names(volume, prefix)) for volume in volumes for prefix in _prefixes(target)}
            rejected = [where for where, verdict in verdicts.items() if verdict is False]
            if rejected:
                yield self._rejected(setting, needs, rejected)
            elif None in verdicts.values():
                yield self.unknown(setting.where, f"{setting.name} has a pattern that cannot be evaluated")

    def _rejected(self, setting: LvmFilter, needs: BootNeeds, rejected: list[tuple[BlockDevice, str]]) -> Finding:
        (volume, prefix), *_others = sorted(rejected, key=lambda one: not needs.needs(one[0].name))
        needed = needs.needs(volume.name)
        name = _names(volume, prefix)[0]
        message = f"{setting.name} rejects {name}, the name of the physical volume {volume.name} on the target"
        effect = "its logical volumes are missing, and boot stops waiting for them" if needed else "its logical volumes are missing"
        severity = Severity.ERROR if needed else Severity.WARNING
        return self.finding(setting.where, message, effect, severity=severity, fix=_accept(setting, rejected))


def _prefixes(target: Target) -> list[str]:
    return sorted(target.disk_prefixes)


def _names(volume: BlockDevice, prefix: str) -> tuple[str, ...]:
    """The paths under which LVM meets the device there: the kernel's name and the links that travel with the disk."""
    letter, number = chr(ord("a") + volume.disk % 26), volume.number
    kernel = f"/dev/nvme{volume.disk}n1" if prefix == "nvme" else f"/dev/{prefix}{letter}"
    part = f"p{number}" if prefix == "nvme" else str(number)
    links = (f"/dev/disk/by-id/lvm-pv-uuid-{volume.uuid}", f"/dev/disk/by-partuuid/{volume.part_uuid}")
    return (kernel + part if number else kernel, *(link for link in links if not link.endswith(("-", "/"))))


def _accept(setting: LvmFilter, rejected: list[tuple[BlockDevice, str]]) -> Fix | None:
    if not setting.patterns:
        return None
    first = setting.patterns[0].where
    start = Span(first.path, first.start, first.start, first.line, first.column)
    words = "".join(f'"a|^{_names(volume, prefix)[0]}$|", ' for volume, prefix in rejected)
    return Fix(f"accept the physical volumes' names on the target in {setting.name}", Applicability.SAFE, (ReplaceText(start, "", words),))
