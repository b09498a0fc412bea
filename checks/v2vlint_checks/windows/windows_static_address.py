"""Rule windows-static-address."""

from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Example,
    Finding,
    Hive,
    ManualAddress,
    Mover,
    Rule,
    Severity,
    Target,
    WindowsNetwork,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_GUID = "{5a3c1f0e-0001-4000-8000-00155d000001}"
_INTERFACE = f"ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\{_GUID}"
_CLASS = "ControlSet001\\Control\\Network\\{4D36E972-E325-11CE-BFC1-08002BE10318}"


def _hive(device: str, dhcp: int = 0) -> Hive:
    return Hive(f"""
[{_INTERFACE}]
"EnableDHCP"=dword:{dhcp}
"IPAddress"=multi:"192.0.2.10"
"SubnetMask"=multi:"255.255.255.0"
"DefaultGateway"=multi:"192.0.2.1"
[{_CLASS}\\{_GUID}\\Connection]
"Name"="Ethernet0"
"PnpInstanceID"="{device.replace(chr(92), chr(92) * 2)}"
[ControlSet001\\Enum\\{device}]
""")


class WindowsStaticAddress(Rule):
    """A static IP address is bound to a network adapter that the target does not have.

    ## What it does
    Finds interfaces without DHCP and the device each one belongs to, and compares that with the network cards of the target.

    ## Why it matters
    Windows keeps addresses by the adapter's GUID. Another model of card is another adapter with a new GUID: it uses DHCP, and the address
    stays with an adapter that no longer exists. Setting it by hand then fails with "already assigned to another adapter".

    ## References
    - virt-v2v restores addresses only if `--mac MAC:ip:…` states them: `convert/convert_windows.ml`
    - MicrosoftDocs/azure-docs issue 27608; apache/cloudstack issue 13704
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: _hive("PCI\\VEN_15AD&DEV_07B0&SUBSYS_07B015AD&REV_01\\FF56")},
            flags=(f"{_SYSTEM}:{_INTERFACE}:IPAddress",),
            severity=Severity.WARNING,
        ),
        Example(
            {_SYSTEM: _hive("PCI\\VEN_15AD&DEV_07B0&SUBSYS_07B015AD&REV_01\\FF56")},
            mover=Mover.VIRT_V2V,
            flags=(f"{_SYSTEM}:{_INTERFACE}:IPAddress",),
            title="virt-v2v must be told the address",
        ),
        Example(
            {_SYSTEM: _hive("PCI\\VEN_1AF4&DEV_1000&SUBSYS_00011AF4&REV_00\\3&13c0b0c5&0&18")},
            flags=(f"{_SYSTEM}:{_INTERFACE}:IPAddress",),
            severity=Severity.INFO,
            title="the same model, in what may be another slot",
        ),
        Example(
            {_SYSTEM: _hive("PCI\\VEN_8086&DEV_100F&SUBSYS_075015AD&REV_01\\4&3ad87e0a&0&0888")},
            target="xen",
            flags=(f"{_SYSTEM}:{_INTERFACE}:IPAddress",),
            severity=Severity.WARNING,
            title="VMware's e1000 is not the model that QEMU has under that name",
        ),
        Example({_SYSTEM: _hive("PCI\\VEN_15AD&DEV_07B0&SUBSYS_07B015AD&REV_01\\FF56", dhcp=1)}, title="an old lease of DHCP"),
    )

    def check(self, network: WindowsNetwork, target: Target, conversion: Conversion) -> Iterator[Finding]:
        for one in network.static:
            if one.adapter is None or not one.adapter.known:
                continue
            fits = any(one.adapter.fits(nic) for nic in target.nics)
            if fits and target.keeps_pci:
                continue
            message = f"{one.name} has the static address {', '.join(one.addresses)}, bound to {_model(one)}"
            yield self.finding(one.where, message, _effect(fits, conversion), severity=Severity.INFO if fits else Severity.WARNING)


def _model(one: ManualAddress) -> str:
    return "\\".join(one.adapter.device.split("\\")[:2]) if one.adapter else "an adapter that no longer exists"


def _effect(fits: bool, conversion: Conversion) -> str:
    if fits:
        return "the target has the same model of card: in another slot it is still a new adapter, without the address"
    told = "virt-v2v keeps it only if --mac …:ip:… states it: " if conversion.by_virt_v2v else ""
    return f"{told}the new card uses DHCP, and the address must be set again"
