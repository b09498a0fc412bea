"""Rule filesystem-full."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, GuestFS, NotApplicable, Rule, Severity

_LEAST_BYTES, _LEAST_INODES = 4 << 20, 64
_NEEDED = ("/", "/var", "/var/log", "/tmp", "/var/tmp", "/run")


def _given(free: int, inodes: int) -> tuple[BlockTable]:
    details = (("free", str(free)), ("free_inodes", str(inodes)))
    return (BlockTable((BlockDevice("disk1p1", "partition", 8 << 30, 0, 1, "ext4", "0A0A-0001", details=details),)),)


class FilesystemFull(Rule):
    """A filesystem that the boot writes to is full.

    ## What it does
    Finds filesystems of /, /var and /tmp with less than 4 MiB or 64 inodes free, according to their superblocks. virt-v2v's requirements
    are checked by `no-space-for-virt-v2v`; `fix` refuses a repair that does not fit, with the reason.

    ## Why it matters
    Services cannot write their state, the login cannot write its records, cloud-init cannot store its data: the guest comes up but is
    hardly usable, and cannot be repaired either.

    ## References
    - virt-v2v `convert/convert.ml`, `check_guest_free_space`, for how much a conversion needs
    """

    severity = Severity.WARNING
    since = "0.2"
    predicts = (r"No space left on device\s*$",)
    examples = (
        Example({"/etc/hostname": "web\n"}, given=_given(1 << 20, 5000), uuid="0A0A-0001", flags=("disk1p1",)),
        Example({"/etc/hostname": "web\n"}, given=_given(1 << 30, 3), uuid="0A0A-0001", flags=("disk1p1",), title="no inodes"),
        Example({"/etc/hostname": "web\n"}, given=_given(1 << 30, 5000), uuid="0A0A-0001"),
    )

    def check(self, fs: GuestFS, blocks: BlockTable) -> Iterator[Finding]:
        judged = 0
        for point, system in fs.mounts.items():
            device = next((one for one in blocks.tagged("UUID", system.uuid) if one.fs_type == system.type), None) if system.uuid else None
            if device is None or point not in _NEEDED or not device.detail("free").isdecimal():
                continue
            judged += 1
            message = _lacking(device)
            if message:
                effect = "services cannot write their state, and nothing can be repaired in it"
                yield self.finding(Device(device.name), f"{message} on {point}", effect)
        if not judged:
            raise NotApplicable("no superblock says what is free")


def _lacking(device: BlockDevice) -> str:
    free, inodes = int(device.detail("free")), device.detail("free_inodes")
    if free < _LEAST_BYTES:
        return f"{free >> 10} KiB are free"
    if device.fs_type.startswith("ext") and inodes.isdecimal() and int(inodes) < _LEAST_INODES:
        return f"{inodes} inodes are free"
    return ""
