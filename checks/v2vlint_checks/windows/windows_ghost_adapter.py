"""Rule windows-ghost-adapter."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, WindowsNetwork

_SYSTEM = "/Windows/System32/config/SYSTEM"
_GUID = "{5a3c1f0e-0002-4000-8000-00155d000002}"
_INTERFACE = f"ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\{_GUID}"
_STATIC = f'[{_INTERFACE}]\n"EnableDHCP"=dword:0\n"IPAddress"=multi:"192.0.2.10"\n'
_CLASS = "ControlSet001\\Control\\Network\\{4D36E972-E325-11CE-BFC1-08002BE10318}"
_ADAPTER = f'[{_CLASS}\\{_GUID}\\Connection]\n"Name"="LAN"\n"PnpInstanceID"="PCI\\\\VEN_8086&DEV_100E\\\\3&18"\n'


class WindowsGhostAdapter(Rule):
    """A static address belongs to a network adapter that no longer exists.

    ## What it does
    Finds interfaces with a static address whose adapter, or whose device in `Enum`, does not exist: left over from an earlier move or card.

    ## Why it matters
    Windows refuses to give the address to another adapter without asking, and scripts that set it fail.

    ## References
    - Forklift's and vJailbreak's first-boot scripts remove such adapters before they set addresses.
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: Hive(_STATIC)}, flags=(f"{_SYSTEM}:{_INTERFACE}:IPAddress",), severity=Severity.INFO),
        Example({_SYSTEM: Hive(_STATIC + _ADAPTER)}, flags=(f"{_SYSTEM}:{_INTERFACE}:IPAddress",), title="the device is gone"),
        Example({_SYSTEM: Hive(f"{_STATIC}{_ADAPTER}[ControlSet001\\Enum\\PCI\\VEN_8086&DEV_100E\\3&18]\n")}),
    )

    def check(self, network: WindowsNetwork) -> Iterator[Finding]:
        for one in network.ghosts:
            message = f"{', '.join(one.addresses)} is set for {one.name}, an adapter that no longer exists"
            yield self.finding(
                one.where, message, "setting the address on the new card fails, or asks for confirmation, until this is removed"
            )
