"""Rule windows-remote-access."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, Stage, WindowsNetworkVerdict

_SYSTEM = "/Windows/System32/config/SYSTEM"
_TERMINAL = "ControlSet001\\Control\\Terminal Server"
_FIREWALL = "ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy"
_RULE = "v2.30|Action=Allow|Active={}|Dir=In|Protocol=6|{}LPort=3389|App=%SystemRoot%\\\\system32\\\\svchost.exe|Svc=termservice|"


def _hive(denied: int, active: str = "TRUE", profile: str = "", more: str = "") -> Hive:
    return Hive(f"""
[{_TERMINAL}]
"fDenyTSConnections"=dword:{denied}
[{_FIREWALL}\\PublicProfile]
"EnableFirewall"=dword:1
[{_FIREWALL}\\FirewallRules]
"RemoteDesktop-UserMode-In-TCP"="{_RULE.format(active, profile)}"
{more}
""")


class WindowsRemoteAccess(Rule):
    """Nobody can log in to Windows over the network.

    ## What it does Checks whether Remote Desktop is enabled (`fDenyTSConnections`, by policy or setting, `TermService`, its listener),
    whether it is bound to one adapter, and whether the firewall admits its port on public networks. If WinRM or OpenSSH starts
    automatically and the firewall admits it, there is a way in.

    ## Why it matters
    A new network card is on a network that Windows does not know: it counts as public until somebody changes that, and firewall rules for
    private or domain networks do not apply. On clouds there is no screen to change it at.

    ## References
    - Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure": remote desktop registry settings, Windows Firewall rules
    - Set-NetConnectionProfile -NetworkCategory
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: _hive(0, profile="Profile=Domain|Profile=Private|")},
            target="azure",
            flags=(f"{_SYSTEM}:{_FIREWALL}\\PublicProfile",),
            severity=Severity.WARNING,
            title="on, and blocked in public networks",
        ),
        Example({_SYSTEM: _hive(1)}, target="azure", flags=(f"{_SYSTEM}:{_TERMINAL}:fDenyTSConnections",), severity=Severity.WARNING),
        Example(
            {_SYSTEM: _hive(1)}, flags=(f"{_SYSTEM}:{_TERMINAL}:fDenyTSConnections",), severity=Severity.INFO, title="there is a screen"
        ),
        Example(
            {_SYSTEM: _hive(0, more=f'[{_TERMINAL}\\WinStations\\RDP-Tcp]\n"LanAdapter"=dword:2\n')},
            flags=(f"{_SYSTEM}:{_TERMINAL}\\WinStations\\RDP-Tcp:LanAdapter",),
            title="bound to one adapter",
        ),
        Example({_SYSTEM: _hive(0)}, target="azure"),
        Example({_SYSTEM: _hive(0, more=f'[{_FIREWALL}\\PublicProfile]\n"EnableFirewall"=dword:0\n', active="FALSE")}, title="no firewall"),
    )

    def check(self, network: WindowsNetworkVerdict) -> Iterator[Finding]:
        for cause in network.access:
            if cause.about.on:
                effect = "the guest comes up, but nobody can log in over the network until this is changed on its console"
            else:
                effect = "the console is the only way into the guest"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
