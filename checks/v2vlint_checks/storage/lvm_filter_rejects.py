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
_FIXED = _CONF.replace('[ "a|^/dev/sda2', '[ "a|^/dev/vd[a-z]+[0-9]*$|", "a|^/dev/sda2')
_CLOSED = {"vd": "^/dev/vd[a-z]+[0-9]*$", "sd": "^/dev/sd[a-z]+[0-9]*$", "xvd": "^/dev/xvd[a-z]+[0-9]*$", "nvme": "^/dev/nvme[0-9].*"}


class LvmFilterRejects(Rule):
    """LVM's filter rejects the disks under the names they get on the target.

    ## What it does
    Evaluates `filter` and `global_filter` of lvm.conf and lvmlocal.conf for the physical volumes found, named as on the target. Commented
    settings in the stock file are documentation and ignored.

    ## Why it matters
    LVM does not see the physical volumes, so their logical volumes are missing. Host-only initramfs images hold a copy of the file: then
    root itself is not found. The copy is only renewed by rebuilding the initramfs.

    ## Fix safety
    Unsafe: a pattern accepting the target's names is put in front, which widens what LVM looks at.

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
            for volume in volumes:
                verdicts = {prefix: setting.accepts(*_names(volume, prefix)) for prefix in sorted(target.disk_prefixes)}
                if False in verdicts.values():
                    yield self._rejected(setting, volume, needs, [prefix for prefix, ok in verdicts.items() if ok is False])
                    break
                if None in verdicts.values():
                    yield self.unknown(setting.where, f"{setting.name} has a pattern that cannot be evaluated")
                    break

    def _rejected(self, setting: LvmFilter, volume: BlockDevice, needs: BootNeeds, prefixes: list[str]) -> Finding:
        name = _names(volume, prefixes[0])[0]
        needed = needs.needs(volume.name)
        message = f"{setting.name} rejects {name}, the name of the physical volume {volume.name} on the target"
        effect = "its logical volumes are missing, and boot stops waiting for them" if needed else "its logical volumes are missing"
        severity = Severity.ERROR if needed else Severity.WARNING
        return self.finding(setting.where, message, effect, severity=severity, fix=_accept(setting, prefixes))


def _names(volume: BlockDevice, prefix: str) -> tuple[str, ...]:
    """The paths under which LVM meets the device there: the kernel's name and the links that travel with the disk."""
    letter, number = chr(ord("a") + volume.disk % 26), volume.number
    kernel = f"/dev/nvme{volume.disk}n1" if prefix == "nvme" else f"/dev/{prefix}{letter}"
    part = f"p{number}" if prefix == "nvme" else str(number)
    links = (f"/dev/disk/by-id/lvm-pv-uuid-{volume.uuid}", f"/dev/disk/by-partuuid/{volume.part_uuid}")
    return (kernel + part if number else kernel, *(link for link in links if not link.endswith(("-", "/"))))


def _accept(setting: LvmFilter, prefixes: list[str]) -> Fix | None:
    if not setting.patterns or not set(prefixes) <= _CLOSED.keys():
        return None
    first = setting.patterns[0].where
    start = Span(first.path, first.start, first.start, first.line, first.column)
    words = "".join(f'"a|{_CLOSED[prefix]}|", ' for prefix in prefixes)
    return Fix(f"accept the target's disk names in {setting.name}", Applicability.UNSAFE, (ReplaceText(start, "", words),))
