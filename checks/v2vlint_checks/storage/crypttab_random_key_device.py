"""Rule crypttab-random-key-device."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Crypttab,
    CrypttabEntry,
    Devices,
    Example,
    Finding,
    Fix,
    NameFate,
    NameKind,
    ReplaceText,
    Rule,
    Severity,
    Target,
    kernel_fate,
    name_kind,
)

_BY_PATH = "/dev/disk/by-path/pci-0000:00:1f.2-ata-1-part3"
_DISK = BlockDevice("disk1", "disk", 2 << 30, 0)
_SWAP = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, part_uuid="5e1d-03")
_SECOND = BlockDevice("disk2", "disk", 2 << 30, 1)


class CrypttabRandomKeyDevice(Rule):
    """Encrypted swap with a random key is set up on a device name that may mean another disk.

    ## What it does
    Finds crypttab entries with a random key (`/dev/urandom`) whose source is a kernel name or a hardware path.

    ## Why it matters
    Such an entry overwrites its device at every boot. If the name exists but the disks come up in another order, it destroys data. If the
    name no longer exists, boot waits 90 seconds and continues without swap.

    ## Fix safety
    Safe: the partition's own PARTUUID replaces the name; a filesystem UUID would not survive the next boot.

    ## References
    - crypttab(5), "swap"
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/crypttab": "swap /dev/sda3 /dev/urandom swap\n"},
            given=(BlockTable((_DISK, _SWAP)),),
            flags=("/etc/crypttab:1",),
            severity=Severity.WARNING,
            fixed={"/etc/crypttab": "swap PARTUUID=5e1d-03 /dev/urandom swap\n"},
        ),
        Example(
            {"/etc/crypttab": "swap /dev/sdb /dev/random swap\n"},
            given=(BlockTable((_DISK, _SWAP, _SECOND)),),
            target="kvm-scsi",
            flags=("/etc/crypttab:1",),
            severity=Severity.ERROR,
            title="the name exists there, and may be the other disk",
        ),
        Example({"/etc/crypttab": f"swap {_BY_PATH} /dev/urandom swap\n"}, flags=("/etc/crypttab:1",), severity=Severity.WARNING),
        Example(
            {"/etc/crypttab": "a PARTUUID=5e1d-03 /dev/urandom swap\nb /dev/vg/swap /dev/urandom swap\n#c /dev/sda3 /dev/urandom swap\n"}
        ),
    )

    def check(self, crypttab: Crypttab, devices: Devices, blocks: BlockTable, target: Target) -> Iterator[Finding]:
        for entry in crypttab.entries:
            fate = kernel_fate(entry.device, target, blocks)
            hardware = name_kind(entry.device) is NameKind.HARDWARE
            if not entry.has_random_key or "noauto" in entry.options or (fate is NameFate.KEPT and not hardware):
                continue
            destroys = fate is NameFate.ORDER
            message = f"{entry.name} is encrypted anew at every boot on {entry.device}, a name that is not tied to the disk"
            effect = "another disk that comes up under this name is overwritten" if destroys else "boot waits 90 s for it; there is no swap"
            severity = Severity.ERROR if destroys else Severity.WARNING
            yield self.finding(entry.source.where, message, effect, severity=severity, fix=_by_partition(entry, devices))


def _by_partition(entry: CrypttabEntry, devices: Devices) -> Fix | None:
    device = devices.resolve(entry.device)
    if device is None or not device.part_uuid or not devices.order_known:
        return None
    # Every boot overwrites the content, and with it any UUID or label of its own.
    edit = ReplaceText(entry.source.where, entry.source.value, f"PARTUUID={device.part_uuid}")
    return Fix(f"name the partition of {entry.name} by PARTUUID", Applicability.SAFE, (edit,))
