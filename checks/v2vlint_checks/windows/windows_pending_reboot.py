"""Rule windows-pending-reboot."""

from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Example,
    Finding,
    Hive,
    Mover,
    Rule,
    Severity,
    WindowsSystem,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_CBS = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"
_SESSION = "ControlSet001\\Control\\Session Manager"
_RENAME = f'[{_SESSION}]\n"PendingFileRenameOperations"=multi:"\\\\??\\\\C:\\\\Windows\\\\Temp\\\\x.dll"\n'


class WindowsPendingReboot(Rule):
    """Windows waits for a restart to finish updates or installations.

    ## What it does
    Looks for the marks of Windows Update and component servicing, and for files to be replaced at the next boot.

    ## Why it matters
    The remaining work is done at the first boot on new hardware, where failures are hard to diagnose. pnputil refuses to install drivers
    meanwhile, so that virt-v2v's first-boot scripts have to restart several times.

    ## References
    - libguestfs-common `mlcustomize/firstboot.ml`: the driver script exits with 249 while a restart is pending.
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"Failure configuring Windows updates", r"We could ?n.t complete the updates", r"Undoing changes made to your computer")
    examples = (
        Example({_SYSTEM: Hive("[ControlSet001]\n"), _SOFTWARE: Hive(f"[{_CBS}]\n")}, flags=(f"{_SOFTWARE}:{_CBS}",)),
        Example(
            {_SYSTEM: Hive(_RENAME)},
            mover=Mover.VIRT_V2V,
            flags=(f"{_SYSTEM}:{_SESSION}:PendingFileRenameOperations",),
            severity=Severity.WARNING,
        ),
        Example({_SYSTEM: Hive(f"[{_SESSION}]\n"), _SOFTWARE: Hive("[Microsoft\\Windows]\n")}),
    )

    def check(self, system: WindowsSystem, conversion: Conversion) -> Iterator[Finding]:
        severity = Severity.WARNING if conversion.by_virt_v2v else Severity.INFO
        for one in system.pending:
            effect = "drivers are not installed until it has restarted; restart it on the source, then shut it down"
            yield self.finding(one.where, f"a restart is pending: {one.what}", effect, severity=severity)
