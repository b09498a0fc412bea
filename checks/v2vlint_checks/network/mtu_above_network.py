"""Rule mtu-above-network."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Network, NotApplicable, Rule, Severity, Target

_USUAL = 1500


class MtuAboveNetwork(Rule):
    """A network card is set to packets larger than the network carries.

    ## What it does
    Compares each manager's `mtu` with the largest packet of the target's network (`max_mtu` of its profile). Where that is not known,
    anything above 1,500 is reported as info, unless the target keeps the network.

    ## Why it matters
    Small packets pass: the guest answers pings and the start of a login. Large packets are dropped on the way, and transfers hang.

    ## References
    - cloud.google.com/vpc/docs/mtu; docs.aws.amazon.com, "Network maximum transmission unit"
    - learn.microsoft.com, "TCP/IP performance tuning"
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/netplan/01.yaml": 'network: {version: 2, ethernets: {lan: {match: {name: "e*"}, dhcp4: true, mtu: 9000}}}\n'},
            target="gce",
            flags=("/etc/netplan/01.yaml:1",),
            severity=Severity.WARNING,
        ),
        Example(
            {"/etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nBOOTPROTO=dhcp\nMTU=9000\n"},
            flags=("/etc/sysconfig/network-scripts/ifcfg-eth0:3",),
            severity=Severity.INFO,
        ),
        Example({"/etc/systemd/network/x.network": "[Match]\nName=e*\n[Link]\nMTUBytes=9000\n[Network]\nDHCP=yes\n"}, target="ec2-nitro"),
        Example({"/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n  mtu 1460\n"}, target="gce"),
    )

    def check(self, network: Network, target: Target) -> Iterator[Finding]:
        if target.keeps_network:
            raise NotApplicable(f"{target.name} keeps the network")
        for interface in network.interfaces:
            size = int(interface.mtu.value) if interface.mtu and interface.mtu.value.isdecimal() and len(interface.mtu.value) < 6 else 0
            if interface.mtu is None or size <= (target.max_mtu or _USUAL) or not network.starts(interface):
                continue
            known = f"{target.name} carries at most {target.max_mtu}" if target.max_mtu else "most networks carry 1500"
            effect = f"{known}: connections start and then hang"
            severity = Severity.WARNING if target.max_mtu else Severity.INFO
            yield self.finding(interface.mtu.where, f"{interface.label} sends packets of {size} bytes (MTU)", effect, severity=severity)
