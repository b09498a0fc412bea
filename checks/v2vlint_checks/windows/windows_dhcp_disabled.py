"""Rule windows-dhcp-disabled."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Example,
    Finding,
    Fix,
    Hive,
    RegistryKey,
    RegistrySet,
    Rule,
    Severity,
    Stage,
    WindowsNetworkVerdict,
    dword,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = "ControlSet001\\Services\\Dhcp"


def _hive(start: int) -> Hive:
    return Hive(f'[{_KEY}]\n"Type"=dword:20\n"Start"=dword:{start}\n')


class WindowsDhcpDisabled(Rule):
    """The DHCP client service is disabled.

    ## What it does
    Checks the start type of the service `Dhcp`.

    ## Why it matters
    It is often disabled where every address is static. A new network card is a new adapter without a static address: without the
    service it gets no address at all, and nobody can reach the guest.

    ## Fix safety
    Unsafe: somebody disabled it deliberately. The fix restores Windows' default start type.

    ## References
    - Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure": the DHCP client must start automatically.
    """

    severity = Severity.ERROR
    stage = Stage.NETWORK
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: _hive(4)}, flags=(f"{_SYSTEM}:{_KEY}:Start",), severity=Severity.ERROR, fixed={_SYSTEM: _hive(2)}),
        Example({_SYSTEM: _hive(2)}),
        Example({_SYSTEM: Hive("[ControlSet001\\Services]\n")}, title="nothing is said of it"),
    )

    def check(self, network: WindowsNetworkVerdict) -> Iterator[Finding]:
        for cause in network.dhcp:
            effect = "the guest comes up without an address and is unreachable"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=_fix(cause.about.place("Start")))


def _fix(where: RegistryKey) -> Fix:
    edit = RegistrySet(where.path, where.key, where.value, dword(2), dword(4))
    return Fix("start the DHCP client automatically", Applicability.UNSAFE, (edit,))
