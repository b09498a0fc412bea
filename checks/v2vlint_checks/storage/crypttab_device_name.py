"""Rule crypttab-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    CrypttabEntry,
    Devices,
    Example,
    Fate,
    Finding,
    Fix,
    MountsVerdict,
    Mover,
    ReplaceText,
    Rule,
    Severity,
    Stage,
)

_LUKS = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99")


class CrypttabDeviceName(Rule):
    """A crypttab entry names a disk by the kernel's device name.

    ## What it does
    Finds crypttab entries whose source is a name such as `/dev/sda2`, on targets with other disk names. Another rule covers entries with a
    random key.

    ## Why it matters
    The mapping is not set up: after a wait of 90 seconds everything on it is missing. If that is the root filesystem or a mount without
    `nofail`, boot ends in a shell. The initramfs holds a copy of such entries, which has to be rebuilt.

    ## Fix safety
    Safe: the UUID is read from the LUKS header of the very device that the entry names.

    ## References
    - virt-v2v commit 25b36dd6 (RHEL-93583): it replaces `/dev/sd*` in crypttab with UUID=.
    - crypttab(5)
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r"cryptsetup: Waiting for encrypted source device /dev/", r"Dependency failed for .*Cryptography Setup")
    examples = (
        Example(
            {"/etc/crypttab": "# /dev/sda9\nhome /dev/sda2 none luks\n", "/etc/fstab": "/dev/mapper/home /home xfs\n"},
            given=(BlockTable((_LUKS,)),),
            flags=("/etc/crypttab:2",),
            severity=Severity.ERROR,
            fixed={"/etc/crypttab": "# /dev/sda9\nhome UUID=4a2e-99 none luks\n"},
        ),
        Example(
            {"/etc/crypttab": "backup /dev/sdb1 /root/key luks\n"},
            flags=("/etc/crypttab:1",),
            severity=Severity.WARNING,
            title="nothing that boot waits for is on it",
        ),
        Example(
            {"/etc/crypttab": "home /dev/sda2 none luks\n", "/etc/fstab": "UUID=1 / ext4\n/dev/mapper/home /home xfs\n"},
            mover=Mover.VIRT_V2V,
            flags=("/etc/crypttab:1",),
            severity=Severity.INFO,
        ),
        Example({"/etc/crypttab": "home UUID=4a2e-99 none luks\nswap /dev/sda3 /dev/urandom swap\nold /dev/sdc1 none luks,noauto\n"}),
    )

    def check(self, mounts: MountsVerdict, devices: Devices) -> Iterator[Finding]:
        for cause in mounts.mapped_names:
            mapped = cause.about
            entry, gone = mapped.entry, mapped.fate is Fate.GONE
            why = "a name that changes with the disk controller" if gone else "a name that depends on the order of the disks"
            message = f"{entry.name} is unlocked from {entry.device}, {why}"
            yield self.finding(cause.where, message, _effect(cause.severity), severity=cause.severity, fix=_by_uuid(entry, devices))


def _effect(severity: Severity | None) -> str:
    if severity is Severity.INFO:
        return "virt-v2v replaces it with the UUID; after a raw copy the mapping would be missing"
    if severity is Severity.ERROR:
        return "the mapping is not set up, and boot stops while waiting for what is on it"
    return "boot waits 90 s for it, and what is on it is missing"


def _by_uuid(entry: CrypttabEntry, devices: Devices) -> Fix | None:
    lasting = devices.lasting(entry.device, "crypto_LUKS")
    if lasting is None:
        return None
    edit = ReplaceText(entry.source.where, entry.source.value, lasting.text)
    safety = Applicability.SAFE if lasting.certain else Applicability.UNSAFE
    return Fix(f"unlock {entry.name} by UUID", safety, (edit,))
