"""Rule luks-tpm-key."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    BootNeeds,
    Crypttab,
    CrypttabEntry,
    Device,
    Devices,
    Example,
    Finding,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Target,
    Where,
)

_TPM = "systemd-tpm2"


def _luks(keyslots: int, tokens: str) -> BlockTable:
    details = (("version", "2"), ("keyslots", str(keyslots)), ("tokens", tokens))
    disk = BlockDevice("disk1", "disk", 2 << 30, 0)
    return BlockTable((disk, BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99", details=details)))


class LuksTpmKey(Rule):
    """An encrypted volume is unlocked by the source's TPM.

    ## What it does
    Looks at LUKS2 headers for tokens of systemd (`systemd-tpm2`) and clevis, and at crypttab for `tpm2-device=`, on targets that do not
    carry the TPM's state along.

    ## Why it matters
    The key is sealed in the source's TPM and does not travel. With another keyslot the guest asks for its passphrase, which somebody has
    to type at every boot; when the sealed one is the only keyslot, nothing unlocks the volume any more. clevis may also ask a server
    (tang), which has to be in reach.

    ## References
    - virt-v2v(1), "LUKS … TPM" (RHEL-85154); Forklift `tpm_enabled.rego`
    - On the source: `cryptsetup luksAddKey`; after the move: `systemd-cryptenroll --wipe-slot=tpm2` or `clevis luks unbind`
    """

    severity = Severity.ERROR
    stage = Stage.UNLOCK
    since = "0.1"
    examples = (
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none tpm2-device=auto\n", "/etc/fstab": "/dev/mapper/root / ext4\n"},
            given=(_luks(1, _TPM),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.ERROR,
        ),
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none tpm2-device=auto\n"},
            given=(_luks(2, _TPM),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.WARNING,
        ),
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none luks\n"},
            given=(_luks(1, "clevis"),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.WARNING,
        ),
        Example({"/etc/crypttab": "data UUID=77 none tpm2-device=auto\n"}, flags=("/etc/crypttab:1",), severity=Severity.WARNING),
        Example({"/etc/crypttab": "root UUID=4a2e-99 none luks\n"}, given=(_luks(1, ""),)),
        Example({"/etc/crypttab": "# data UUID=77 none tpm2-device=auto\n"}, given=(_luks(2, "systemd-recovery"),)),
    )

    def check(self, blocks: BlockTable, crypttab: Crypttab, devices: Devices, needs: BootNeeds, target: Target) -> Iterator[Finding]:
        if target.keeps_tpm:
            raise NotApplicable("the target carries the TPM's state along")
        judged: set[str] = set()
        for device in blocks:
            tokens = set(device.detail("tokens").split(",")) & {_TPM, "clevis"}
            if device.fs_type == "crypto_LUKS" and tokens:
                judged.add(device.name)
                yield self._sealed(device, tokens, crypttab, devices, needs)
        for entry in crypttab.entries:
            found = devices.resolve(entry.device)
            if entry.option("tpm2-device") is not None and (found is None or found.name not in judged) and not _known(found):
                message = f"{entry.name} is unlocked with the source's TPM"
                yield self.finding(entry.where, message, "boot asks for a passphrase, if there is one", severity=Severity.WARNING)

    def _sealed(self, device: BlockDevice, tokens: set[str], crypttab: Crypttab, devices: Devices, needs: BootNeeds) -> Finding:
        only = device.detail("keyslots") == "1"
        entry = _entry(device, crypttab, devices)
        needed = needs.needs(device.name) or (entry is not None and needs.mount_on(f"/dev/mapper/{entry.name}") is not None)
        certain = only and needed and _TPM in tokens
        how = "only the source's TPM" if _TPM in tokens else "clevis (the source's TPM, or a key server)"
        message = (
            f"{device.name} is unlocked by {how}"
            if only
            else f"{device.name} is unlocked by {how.removeprefix('only ')}, else by passphrase"
        )
        effect = "nothing unlocks it any more" if only else "boot stops and asks for the passphrase"
        severity = Severity.ERROR if certain else Severity.WARNING
        where: Where = Device(device.name, "LUKS header")
        return self.finding(where, message, effect, severity=severity, related=(entry.where,) if entry else ())


def _entry(device: BlockDevice, crypttab: Crypttab, devices: Devices) -> CrypttabEntry | None:
    return next((entry for entry in crypttab.entries if devices.resolve(entry.device) == device), None)


def _known(device: BlockDevice | None) -> bool:
    """Whether the header was read and has no such token: crypttab then merely offers the TPM."""
    return device is not None and bool(device.details)
