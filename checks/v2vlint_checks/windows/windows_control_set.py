"""Rule windows-control-set."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Registry, RegistryKey, Rule, Severity

_SYSTEM = "/Windows/System32/config/SYSTEM"


def _hive(default: int, current: int, failed: int) -> Hive:
    return Hive(f"""
[Select]
"Default"=dword:{default}
"Current"=dword:{current}
"Failed"=dword:{failed}
"LastKnownGood"=dword:2
[ControlSet001\\Control]
[ControlSet002\\Control]
""")


class WindowsControlSet(Rule):
    """The next boot of Windows uses another control set than the last one, or an earlier boot failed.

    ## What it does
    Reads `Select`: the loader uses the control set `Default`; `Current` is the one that ran last, `Failed` one that did not start,
    `LastKnownGood` the fallback. Everything is judged in the set that the next boot uses.

    ## Why it matters
    Changes to the other set, including drivers, do not count: tools that follow `Current` repair the wrong one.

    ## References
    - Microsoft, "What are Control Sets? What is CurrentControlSet?" (KB 100010)
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: _hive(2, 1, 0)}, flags=(f"{_SYSTEM}:Select:Default",), severity=Severity.INFO),
        Example({_SYSTEM: _hive(2, 2, 1)}, flags=(f"{_SYSTEM}:Select:Failed",), title="an earlier start failed"),
        Example({_SYSTEM: _hive(1, 1, 0)}),
        Example({_SYSTEM: Hive("[ControlSet001\\Control]\n")}, title="nothing is said"),
    )

    def check(self, registry: Registry) -> Iterator[Finding]:
        select = registry.system.key("Select")
        numbers = {name: select.number(name) if select else None for name in ("Default", "Current", "Failed", "LastKnownGood")}
        where = registry.system.path
        if None not in (numbers["Default"], numbers["Current"]) and numbers["Default"] != numbers["Current"]:
            message = f"the next boot uses {registry.control_set}, the last one used ControlSet{numbers['Current']:03d}"
            yield self.finding(RegistryKey(where, "Select", "Default"), message, "changes in the other control set do not count")
        if numbers["Failed"]:
            good = f"; LastKnownGood is {numbers['LastKnownGood']}" if numbers["LastKnownGood"] else ""
            message = f"ControlSet{numbers['Failed']:03d} failed to start{good}"
            yield self.finding(RegistryKey(where, "Select", "Failed"), message, "Windows fell back to another control set")
