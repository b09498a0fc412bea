"""Rule windows-bitlocker."""

from collections.abc import Iterator

from v2vlint.api import (
    Bitlocker,
    BitlockerVolume,
    BlockDevice,
    BlockTable,
    Device,
    Example,
    Finding,
    Hive,
    RootStack,
    Rule,
    Severity,
    Target,
)

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_INNER = BlockDevice("bitlocker-disk1p3", "bitlocker", 1 << 30, 0, 0, "ntfs", "0A", parents=("disk1p3",))
_PLAIN = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "ntfs", "0A")
_ID = "3fd763f9-74c7-4e90-8fa2-1f6a2e2b4e0c"


def _volume(state: str = "", protectors: str = "", ids: str = "") -> tuple[object, ...]:
    told = (("bitlocker", "yes"), ("state", state), ("protectors", protectors), ("recovery_ids", ids))
    outer = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "BitLocker", details=told)
    return BlockTable((outer, _INNER)), RootStack("ntfs", _INNER, (_INNER,))


class WindowsBitlocker(Rule):
    """The system volume is encrypted with BitLocker.

    ## What it does
    Reads how the key of the Windows volume is protected, and reports what Windows will ask for on the target. Only a volume that could be
    opened, with a given key or with its own key stored in the clear, can be judged; any other is reported as a problem of the image.

    ## Why it matters
    The key is usually sealed to the machine's TPM, which does not travel. Windows then stops before it starts and asks for the recovery
    password. Nothing is asked while protection is suspended: the volume stores its key in the clear. A password is asked for as before.

    ## References
    - virt-v2v(1), "BitLocker" (RHEL-103915, RHEL-70840)
    - manage-bde -protectors -disable C: -RebootCount 0 suspends protection until it is resumed.
    - manage-bde -protectors -add C: -RecoveryPassword creates a recovery password.
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)enter the recovery key", r"(?i)BitLocker recovery")
    examples = (
        Example(dict(_SYSTEM), given=_volume(), flags=("disk1p3",), severity=Severity.WARNING),
        Example(dict(_SYSTEM), given=_volume("on", "TPM,recovery password", _ID), flags=("disk1p3",), severity=Severity.WARNING),
        Example(dict(_SYSTEM), given=_volume("on", "TPM and PIN,startup key"), flags=("disk1p3",), severity=Severity.WARNING),
        Example(dict(_SYSTEM), given=_volume("on", "startup key,recovery password", _ID), flags=("disk1p3",), severity=Severity.WARNING),
        Example(dict(_SYSTEM), given=_volume("on", "password,recovery password", _ID), flags=("disk1p3",), severity=Severity.INFO),
        Example(
            dict(_SYSTEM), given=_volume("suspended", "TPM,recovery password,clear key", _ID), flags=("disk1p3",), severity=Severity.INFO
        ),
        Example(dict(_SYSTEM), given=_volume("on", "recovery password", _ID), flags=("disk1p3",), severity=Severity.INFO),
        Example(dict(_SYSTEM), given=_volume("waiting for activation", "clear key"), flags=("disk1p3",), severity=Severity.INFO),
        Example(dict(_SYSTEM), given=_volume("off", "TPM,clear key")),
        Example(dict(_SYSTEM), given=(BlockTable((_PLAIN,)), RootStack("ntfs", _PLAIN))),
    )

    def check(self, bitlocker: Bitlocker, target: Target) -> Iterator[Finding]:
        for volume in bitlocker.system:
            if volume.state == "off":
                continue
            severity, effect = _outlook(volume, target)
            state = f" ({volume.state})" if volume.state not in ("", "on") else ""
            message = f"{volume.device}, the system volume, is encrypted with BitLocker{state}{_by(volume)}"
            yield self.finding(Device(volume.device), message, effect, severity=severity)


def _by(volume: BitlockerVolume) -> str:
    return f", protected by {', '.join(dict.fromkeys(volume.protectors))}" if volume.protectors else ""


def _outlook(volume: BitlockerVolume, target: Target) -> tuple[Severity, str]:
    """The severity, and what Windows will do when it starts."""
    if volume.lies_open:
        add = "" if volume.recovery else "; add a recovery password before protection is resumed"
        return Severity.INFO, f"Windows starts without asking, because the volume stores its key in the clear{add}"
    if volume.sealed and target.keeps_tpm:
        backup = volume.asked or "another way to open it"
        return Severity.WARNING, f"the TPM travels, but its measurements may differ: have {backup} ready"
    if volume.sealed:
        first = "the TPM stays behind, so that Windows stops before it starts"
        if volume.asked:
            return Severity.WARNING, f"{first} and asks for {volume.asked}: have it ready, or suspend BitLocker before the move"
        return (
            Severity.WARNING,
            f"{first}, and there is no other way to open the volume: add a recovery password, or suspend BitLocker before the move",
        )
    if "password" in volume.protectors:
        return Severity.INFO, f"Windows asks for the password on the console at every boot, as before{_or(volume)}"
    if "startup key" in volume.protectors:
        return Severity.WARNING, f"Windows looks for its startup key on a USB drive, which has to be attached to the machine{_or(volume)}"
    if volume.recovery:
        return Severity.INFO, f"Windows asks for {volume.recovery} on the console at every boot, as before"
    first = "" if target.keeps_tpm else "a key in the source's TPM stays behind, and Windows asks for the recovery key at boot; "
    return Severity.WARNING, f"{first}have that key ready, or suspend BitLocker before the move"


def _or(volume: BitlockerVolume) -> str:
    return f"; otherwise it accepts {volume.recovery}" if volume.recovery else "; there is no recovery password as a fallback"
