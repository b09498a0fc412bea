"""Rule windows-network-team."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, Target, WindowsNetwork

_SYSTEM = "/Windows/System32/config/SYSTEM"
_CLASS = "ControlSet001\\Control\\Network\\{4D36E972-E325-11CE-BFC1-08002BE10318}"


def _hive(top: str, below: str = "PCI\\VEN_15AD&DEV_07B0\\FF") -> Hive:
    parts = (
        f'[{_CLASS}\\{{{number}}}\\Connection]\n"Name"="{name}"\n"PnpInstanceID"="{device.replace(chr(92), chr(92) * 2)}"\n'
        f"[ControlSet001\\Enum\\{device}]\n"
        for number, name, device in (("1", "Team", top), ("2", "Ethernet0", below))
    )
    return Hive("".join(parts))


class WindowsNetworkTeam(Rule):
    """A team of network adapters, or a virtual switch, uses adapters that the target does not have.

    ## What it does
    Finds virtual connections stacked on adapters, LBFO teams (`COMPOSITEBUS\\MS_IMPLAT_MP`) and virtual switches (`ROOT\\VMS_MP`), where
    no physical adapter is of a model that the target has.

    ## Why it matters
    The team or switch itself stays, with its address, but has no member and carries no traffic. The new card must be added as a member on
    the console. virt-v2v leaves it alone.

    ## References
    - Microsoft, "NIC Teaming", "Create and configure a virtual switch with Hyper-V"
    """

    severity = Severity.WARNING
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: _hive("COMPOSITEBUS\\MS_IMPLAT_MP\\1")},
            flags=(f"{_SYSTEM}:{_CLASS}\\{{1}}\\Connection",),
            severity=Severity.WARNING,
        ),
        Example(
            {_SYSTEM: _hive("ROOT\\VMS_MP\\0000")},
            flags=(f"{_SYSTEM}:{_CLASS}\\{{1}}\\Connection",),
            title="a virtual switch",
        ),
        Example({_SYSTEM: _hive("COMPOSITEBUS\\MS_IMPLAT_MP\\1")}, target="vmware"),
        Example({_SYSTEM: _hive("ROOT\\NET\\0000")}, title="a loopback adapter"),
    )

    def check(self, network: WindowsNetwork, target: Target) -> Iterator[Finding]:
        fits = any(adapter.fits(nic) for adapter in network.adapters if adapter.known for nic in target.nics)
        for stack in network.stacks if not fits else ():
            message = f"{stack.name} is {stack.kind} on adapters that the target does not have"
            yield self.finding(stack.where, message, "it has no member and carries no traffic until a new card is added")
