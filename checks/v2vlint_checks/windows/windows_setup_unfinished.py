"""Rule windows-setup-unfinished."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, WindowsIdentity

_SYSTEM = "/Windows/System32/config/SYSTEM"
_PLAIN = {_SYSTEM: Hive("[ControlSet001\\Control]\n")}
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_STATE = "Microsoft\\Windows\\CurrentVersion\\Setup\\State"
_WORDS = {
    "audit": ("Windows starts in audit mode", "it logs on as Administrator and waits for Sysprep"),
    "oobe": ("Windows was generalized, or its first boot is not finished", "its first boot asks for a user and a licence"),
    "setup": ("Windows Setup is not finished", "the next boot continues it, on other hardware"),
}


def _state(name: str) -> Hive:
    return Hive(f'[{_STATE}]\n"ImageState"="IMAGE_STATE_{name}"\n')


class WindowsSetupUnfinished(Rule):
    """The next boot of Windows is not a normal one: Sysprep or Setup is unfinished.

    ## What it does
    Reads `ImageState`, `AuditBoot`, `OOBEInProgress` and `SystemSetupInProgress`.

    ## Why it matters
    A generalized system sets itself up at its first boot and, without an answer file, waits for somebody at the console. Clouds expect
    images to be generalized, and otherwise treat them as specialized machines.

    ## References
    - Microsoft, "Windows Setup States", "Audit Mode Overview"
    """

    severity = Severity.WARNING
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {**_PLAIN, _SOFTWARE: _state("GENERALIZE_RESEAL_TO_OOBE")},
            flags=(f"{_SOFTWARE}:{_STATE}:ImageState",),
            severity=Severity.WARNING,
        ),
        Example(
            {**_PLAIN, _SOFTWARE: _state("GENERALIZE_RESEAL_TO_OOBE"), "/Windows/Panther/unattend.xml": "<unattend/>\n"},
            flags=(f"{_SOFTWARE}:{_STATE}:ImageState",),
            severity=Severity.INFO,
            title="with an answer file",
        ),
        Example(
            {_SYSTEM: Hive('[ControlSet001]\n[Setup\\Status]\n"AuditBoot"=dword:1\n')},
            flags=(f"{_SYSTEM}:Setup\\Status:AuditBoot",),
            title="audit mode",
        ),
        Example({**_PLAIN, _SOFTWARE: _state("COMPLETE")}),
        Example(_PLAIN, title="nothing is said of it"),
    )

    def check(self, identity: WindowsIdentity) -> Iterator[Finding]:
        setup = identity.setup
        if setup is not None:
            message, effect = _WORDS[setup.kind]
            severity = Severity.INFO if setup.answered and setup.kind == "oobe" else Severity.WARNING
            yield self.finding(setup.where, message, f"{effect}{'; an answer file exists' if setup.answered else ''}", severity=severity)
