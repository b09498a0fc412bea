"""Rule windows-script-policy."""

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

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_KEY = "Policies\\Microsoft\\Windows\\PowerShell"


class WindowsScriptPolicy(Rule):
    """A group policy blocks PowerShell scripts, including those of converters.

    ## What it does
    Finds the policy `ExecutionPolicy` with AllSigned or Restricted, or `EnableScripts` disabled. It overrides what a script requests.

    ## Why it matters
    Converters finish their work with unsigned scripts at first boot: drivers, addresses, offline disks.

    ## References
    - virt-v2v(1), "PowerShell execution policy" (MTV-4424)
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"EnableScripts"=dword:1\n"ExecutionPolicy"="AllSigned"\n')},
            mover=Mover.VIRT_V2V,
            flags=(f"{_SOFTWARE}:{_KEY}:ExecutionPolicy",),
            severity=Severity.WARNING,
        ),
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"EnableScripts"=dword:0\n')},
            flags=(f"{_SOFTWARE}:{_KEY}:EnableScripts",),
            severity=Severity.INFO,
            title="nobody brings scripts to a raw copy",
        ),
        Example({**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"EnableScripts"=dword:1\n"ExecutionPolicy"="RemoteSigned"\n')}),
    )

    def check(self, system: WindowsSystem, conversion: Conversion) -> Iterator[Finding]:
        value = system.script_policy
        if value is not None:
            what = f"is {value.text}" if value.text else "forbids scripts"
            severity = Severity.WARNING if conversion.by_virt_v2v else Severity.INFO
            effect = "scripts at the first boot, which install drivers and restore addresses, do not run"
            yield self.finding(value.where, f"the policy {value.name} {what}", effect, severity=severity)
