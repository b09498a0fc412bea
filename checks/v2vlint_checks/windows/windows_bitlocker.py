"""Rule windows-bitlocker."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Hive, RootStack, Rule, Severity, Target

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_INNER = BlockDevice("bitlocker-disk1p3", "bitlocker", 1 << 30, 0, 0, "ntfs", "0A", parents=("disk1p3",))
_OUTER = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "BitLocker", details=(("bitlocker", "yes"),))
_PLAIN = BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "ntfs", "0A")


class WindowsBitlocker(Rule):
    """The system volume is encrypted with BitLocker.

    ## What it does
    Tells whether the volume with Windows, which was opened with a key, or because BitLocker is suspended, lies under BitLocker. A volume
    that no key opens cannot be looked at: that is told as a problem of the image.

    ## Why it matters
    The key is usually sealed to the machine's TPM, which does not travel. Windows then stops before it starts and wants the recovery key.

    ## References
    - virt-v2v(1), "BitLocker" (RHEL-103915, RHEL-70840)
    - manage-bde -protectors -disable C: -RebootCount 0 suspends it until it is switched on again.
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)enter the recovery key", r"(?i)BitLocker recovery")
    examples = (
        Example(
            dict(_SYSTEM),
            given=(BlockTable((_OUTER, _INNER)), RootStack("ntfs", _INNER, (_INNER,))),
            flags=("disk1p3",),
            severity=Severity.WARNING,
        ),
        Example(dict(_SYSTEM), given=(BlockTable((_PLAIN,)), RootStack("ntfs", _PLAIN))),
    )

    def check(self, stack: RootStack, target: Target) -> Iterator[Finding]:
        for layer in stack.of_kind("bitlocker"):
            place = layer.parents[0] if layer.parents else layer.name
            lost = (
                "" if target.keeps_tpm else "a key in the source's TPM stays behind, and Windows asks for the recovery key at its start; "
            )
            effect = f"{lost}have that key ready, or suspend BitLocker before the move"
            yield self.finding(Device(place), f"{place}, the system volume, is encrypted with BitLocker", effect)
