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
    """A team of network adapters, or a virtual switch, is over adapters that the target does not have.

    ## What it does
    Finds connections that are no hardware but stacked on it: LBFO teams (`COMPOSITEBUS\\MS_IMPLAT_MP`) and virtual switches
    (`ROOT\\VMS_MP`), where no physical adapter is of a model that the target has.

    ## Why it matters
    The team or the switch itself stays, with its address, but has no member: nothing goes through it. The new card must be made a member
    on the console. virt-v2v does not touch it.

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
            message = f"{stack.name} is {stack.kind}, over adapters that the target does not have"
            yield self.finding(stack.where, message, "it stays without a member, and nothing goes through it until a new card is one")
