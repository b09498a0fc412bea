"""Rule crypttab-missing-device."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    MountsVerdict,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Unknown,
)

_LUKS = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99")


class CrypttabMissingDevice(Rule):
    """A crypttab entry names an encrypted device that is on none of the disks.

    ## What it does
    Compares the UUID=, PARTUUID= and LABEL= sources in crypttab with the devices on the disks.

    ## Why it matters
    A disk was left behind, or the entry is stale. systemd waits 90 seconds for it; a mount without `nofail` on the mapping then stops boot
    in emergency mode.

    ## References
    - crypttab(5), systemd-cryptsetup-generator(8)
    """

    severity = Severity.WARNING
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r"cryptsetup: Waiting for encrypted source device", r"Dependency failed for .*Cryptography Setup")
    examples = (
        Example(
            {"/etc/crypttab": "data UUID=dead none luks\n", "/etc/fstab": "/dev/mapper/data /data xfs defaults 0 0\n"},
            given=(BlockTable((_LUKS,)),),
            flags=("/etc/crypttab:1",),
            severity=Severity.ERROR,
        ),
        Example({"/etc/crypttab": "data UUID=dead none luks\n"}, given=(BlockTable((_LUKS,)),), flags=("/etc/crypttab:1",)),
        Example({"/etc/crypttab": "data UUID=dead none luks\n"}, given=(BlockTable((_LUKS,), complete=False),), unknown=True),
        Example({"/etc/crypttab": 'home UUID="4A2E-99" none luks\nold UUID=dead none luks,noauto\n'}, given=(BlockTable((_LUKS,)),)),
    )

    def check(self, mounts: MountsVerdict, blocks: BlockTable) -> Iterator[Finding | Unknown]:
        if not blocks.devices:
            raise NotApplicable("no block devices are known")
        for cause in mounts.mapped_missing:
            mount = cause.about.mount if cause.about else None
            if cause.severity is None and cause.where is not None:
                yield self.unknown(cause.where, cause.reason)
            elif cause.where is not None:
                effect = (
                    f"boot stops while waiting for {mount.entry.mount_point}"
                    if mount
                    else "boot waits 90 s for it and continues without it"
                )
                yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
