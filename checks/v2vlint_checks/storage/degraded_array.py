"""Rule degraded-array."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Rule, Severity


def _array(level: str, **details: str) -> BlockTable:
    parts = tuple(BlockDevice(f"disk{number}p1", "partition", 1 << 30, number - 1, 1, "linux_raid_member") for number in (1, 2))
    array = BlockDevice("md/0", "md", 1 << 30, 0, fs_type="ext4", parents=("disk1p1", "disk2p1"),
                        details=(("level", level), ("members", "2"), *details.items()))  # fmt: skip
    return BlockTable((*parts, array))


class DegradedArray(Rule):
    """A RAID array lacks members, or one of its disks was not copied.

    ## What it does
    Compares the superblocks of Linux RAID arrays: how many members an array has, which of them were active when it was last written, and
    which devices missed its last writes. The same for the legs of LVM mirrors and RAID volumes.

    ## Why it matters
    An array with missing members starts, although some initramfs images wait half a minute or more first and others ask; the next failure
    loses data. A member that is not among the disks was probably forgotten when they were listed. A member that was left behind holds old
    files, and a boot loader that reads only that member reads old ones. The kernel refuses a RAID 4, 5 or 6 that has a missing member and
    was not shut down cleanly.

    ## References
    - md(4), "UNCLEAN SHUTDOWN" and `start_dirty_degraded`; Linux `drivers/md/raid5.c`, `raid5_run`: "cannot start dirty degraded array"
    - mdadm `mdadm-last-resort@.timer`: a degraded array is started after 30 seconds
    - lvmraid(7), "Activation"
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"not enough operational (mirrors|devices)", r"start dirty degraded array", r"mdadm: .*not enough to start")
    examples = (
        Example({}, given=(_array("raid1", degraded="1", not_copied="1"),), flags=("md/0",), severity=Severity.WARNING),
        Example({}, given=(_array("raid1", degraded="1"),), flags=("md/0",)),
        Example({}, given=(_array("raid1", degraded="1", left_behind="disk2p1"),), flags=("md/0", "disk2p1")),
        Example({}, given=(_array("raid5", degraded="1", dirty="yes"),), flags=("md/0",)),
        Example({}, given=(_array("raid0", not_copied="1"),), flags=("md/0",)),
        Example({}, given=(_array("raid1"),)),
    )

    def check(self, blocks: BlockTable) -> Iterator[Finding]:
        for device in blocks:
            if device.detail("degraded") or device.detail("not_copied"):
                yield self.finding(Device(device.name), _message(device), _effect(device))
            for name in filter(None, device.detail("left_behind").split(",")):
                message = f"{name} missed the last writes to {device.name}"
                yield self.finding(
                    Device(name), message, "the array starts without it, and its data is out of date; add it again on the target"
                )


def _message(device: BlockDevice) -> str:
    if device.kind == "lv":
        return f"{device.name} lacks {device.detail('degraded')} of its legs"
    lost = device.detail("not_copied")
    of = f"of {device.detail('members')} members of {device.name} ({device.detail('level')})"
    if lost:
        return f"{lost} {of} {'is' if lost == '1' else 'are'} not among the guest's disks"
    return f"{device.detail('degraded')} {of} {'was' if device.detail('degraded') == '1' else 'were'} missing on the source already"


def _effect(device: BlockDevice) -> str:
    if not device.detail("degraded"):
        return "the array does not start: pass all of its disks"
    if device.detail("dirty"):
        return "the kernel refuses to start it: members are missing, and it was not shut down cleanly"
    if device.detail("not_copied"):
        return "the array starts without redundancy, possibly after a wait: pass all of its disks"
    return "the array starts without redundancy, possibly after a wait"
