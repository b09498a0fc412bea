"""Rule luks-tpm-key."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Cause,
    Crypttab,
    Devices,
    Example,
    Finding,
    Rule,
    Sealed,
    Severity,
    Stage,
    Target,
    UnlockVerdict,
)

_TPM, _FIDO2 = "systemd-tpm2", "systemd-fido2"
_OPTIONS = {"tpm2-device": "the source's TPM", "fido2-device": "a FIDO2 token", "pkcs11-uri": "a smart card or PKCS#11 token"}


def _luks(opening: str, *tokens: str) -> BlockTable:
    """A container with these key slots and tokens (``TYPE:SLOT``)."""
    details = (("version", "2"), ("opening", opening), ("tokens", ",".join(tokens)))
    disk = BlockDevice("disk1", "disk", 2 << 30, 0)
    return BlockTable((disk, BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99", details=details)))


class LuksTpmKey(Rule):
    """An encrypted volume is unlocked by the source's TPM, or by a token that is plugged in there.

    ## What it does
    Checks LUKS2 headers for tokens of systemd (`systemd-tpm2`, `systemd-fido2`, `systemd-pkcs11`) and clevis, and crypttab for
    `tpm2-device=`, `fido2-device=` and `pkcs11-uri=`. Those of a TPM count on targets that do not carry over its state.

    ## Why it matters
    The key is sealed in the source's TPM and does not travel. If there is another keyslot, the guest asks for its passphrase, which
    somebody has to type at every boot; if the sealed one is the only keyslot, nothing unlocks the volume any more. clevis may also use a
    key server (tang), which has to be reachable; a FIDO2 token or a smart card has to be passed to the new machine.

    ## References
    - virt-v2v(1), "LUKS … TPM" (RHEL-85154); Forklift `tpm_enabled.rego`
    - On the source: `cryptsetup luksAddKey`; after the move: `systemd-cryptenroll --wipe-slot=tpm2` or `clevis luks unbind`
    """

    severity = Severity.ERROR
    stage = Stage.UNLOCK
    since = "0.1"
    predicts = (r"Please (unlock disk|enter passphrase for disk)", r"Failed to start .*Cryptography Setup")
    examples = (
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none tpm2-device=auto\n", "/etc/fstab": "/dev/mapper/root / ext4\n"},
            given=(_luks("0", f"{_TPM}:0"),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.ERROR,
        ),
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none tpm2-device=auto\n"},
            given=(_luks("0,1", f"{_TPM}:1"),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.WARNING,
        ),
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none luks\n"},
            given=(_luks("0", "clevis:0"),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.WARNING,
        ),
        Example({"/etc/crypttab": "data UUID=77 none tpm2-device=auto\n"}, flags=("/etc/crypttab:1",), severity=Severity.WARNING),
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none fido2-device=auto\n", "/etc/fstab": "/dev/mapper/root / ext4\n"},
            given=(_luks("0", f"{_FIDO2}:0"),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.WARNING,
            title="a token may be passed to the new machine",
        ),
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none fido2-device=auto\n"},
            given=(_luks("0,1", f"{_TPM}:0", f"{_FIDO2}:1"),),
            flags=("disk1p2 LUKS header",),
            severity=Severity.WARNING,
        ),
        Example({"/etc/crypttab": "data UUID=77 none pkcs11-uri=auto\n"}, flags=("/etc/crypttab:1",), severity=Severity.WARNING),
        Example(
            {"/etc/crypttab": "root UUID=4a2e-99 none tpm2-device=auto\n"},
            given=(_luks("0"),),
            title="the key slot of the TPM was removed, its token was not",
        ),
        Example({"/etc/crypttab": "# data UUID=77 none tpm2-device=auto\n"}, given=(_luks("0,1", "systemd-recovery:1"),)),
    )

    def check(self, unlock: UnlockVerdict, crypttab: Crypttab, devices: Devices, target: Target) -> Iterator[Finding]:
        judged: set[str] = set()
        for cause in unlock.tpm:
            judged.add(cause.about.device.name)
            yield self._sealed(cause, cause.about)
        for entry in crypttab.entries:
            found = devices.resolve(entry.device)
            holder = next((how for option, how in _OPTIONS.items() if entry.option(option) is not None), "")
            carried = holder == _OPTIONS["tpm2-device"] and target.keeps_tpm
            if holder and not carried and (found is None or found.name not in judged) and not _known(found):
                message = f"{entry.name} is unlocked with {holder}"
                yield self.finding(entry.where, message, "boot asks for a passphrase, if there is one", severity=Severity.WARNING)

    def _sealed(self, cause: Cause[Sealed], sealed: Sealed) -> Finding:
        only = "only " if sealed.only and "clevis" not in sealed.how else ""
        message = f"{sealed.device.name} is unlocked by {only}{sealed.how}{'' if sealed.only else ', otherwise by passphrase'}"
        related = (sealed.entry.where,) if sealed.entry else ()
        return self.finding(cause.where, message, _effect(sealed), severity=cause.severity, related=related)


def _effect(sealed: Sealed) -> str:
    if not sealed.only:
        return "boot stops and asks for the passphrase"
    plugged = "token" in sealed.how
    return "nothing unlocks it unless that is passed to the new machine" if plugged else "nothing unlocks it any more"


def _known(device: BlockDevice | None) -> bool:
    """Whether the header was read and has no such token: crypttab then only mentions it."""
    return device is not None and bool(device.details)
