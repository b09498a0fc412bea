"""Rule crypttab-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    CrypttabEntry,
    Devices,
    Example,
    Finding,
    Fix,
    MountsVerdict,
    Mover,
    NameFate,
    ReplaceText,
    RootVerdict,
    Rule,
    Severity,
    Stage,
    sample_boot,
    sample_initramfs,
)

_LUKS = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99")
_INSIDE = BlockDevice("luks-4a2e-99", "luks", 1 << 30, 0, 0, "ext4", "0f3c-77", parents=("disk1p2",))
_EARLY = "the initramfs waits for it in vain, and boot stops in its shell; use its UUID in crypttab and rebuild the initramfs"
_ROOT = "root {} none luks,discard\n"


def _boot(source: str) -> dict[str, str | bytes]:
    image = sample_initramfs(files={"cryptroot/crypttab": _ROOT.format(source), "sbin/cryptsetup": ""})
    return {**sample_boot(image=image, args="root=/dev/mapper/root ro"), "/etc/fstab": "/dev/mapper/root / ext4\n"}


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
        Example(
            {**_boot("/dev/sda2"), "/etc/crypttab": _ROOT.format("/dev/sda2")},
            given=(BlockTable((_LUKS, _INSIDE)),),
            uuid="0f3c-77",
            flags=("/etc/crypttab:1",),
            severity=Severity.ERROR,
            title="the initramfs looks for the root by that name",
        ),
        Example(
            {**_boot("UUID=4a2e-99"), "/etc/crypttab": _ROOT.format("/dev/sda2")},
            given=(BlockTable((_LUKS, _INSIDE)),),
            uuid="0f3c-77",
            flags=("/etc/crypttab:1",),
            severity=Severity.WARNING,
            fixed={"/etc/crypttab": _ROOT.format("UUID=4a2e-99")},
            title="the initramfs has it by UUID",
        ),
        Example({"/etc/crypttab": "home UUID=4a2e-99 none luks\nswap /dev/sda3 /dev/urandom swap\nold /dev/sdc1 none luks,noauto\n"}),
    )

    def check(self, mounts: MountsVerdict, root: RootVerdict, devices: Devices) -> Iterator[Finding]:
        for early in root.early:
            mapping = early.about.mapping
            message = f"the initramfs unlocks {mapping.name} from {mapping.source}, a name that changes with the disk controller"
            yield self.finding(early.where, message, _EARLY, severity=early.severity, stage=Stage.ROOT)
        told = {cause.where for cause in root.early}
        for cause in mounts.mapped_names:
            if cause.where in told:  # reported above: the initramfs has a copy of the line
                continue
            mapped = cause.about
            entry, gone = mapped.entry, mapped.fate is NameFate.GONE
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
