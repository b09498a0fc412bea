"""Rule biosdevname-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Example,
    Finding,
    Fix,
    IfNameKind,
    InterfaceConfig,
    Manager,
    Method,
    Network,
    NetworkLanding,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Survival,
    Token,
    ifname_kind,
)


class BiosdevnameName(Rule):
    """A network configuration is bound to a name from a physical machine's firmware (em1, p3p1).

    ## What it does
    Finds configurations bound to names given by biosdevname: `em1` for a card on the main board, `p3p1` for the first port of the card in
    slot 3.

    ## Why it matters
    biosdevname does nothing in any virtual machine, so the card never gets that name and its configuration is never applied.

    ## Fix safety
    Safe for DHCP on the only card, unsafe for a fixed address, which then goes to whichever card comes first.

    ## References
    - biosdevname(1); its `main()` exits when the CPU reports a hypervisor.
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.1"
    examples = (
        Example(
            {"/etc/NetworkManager/system-connections/em1.nmconnection": "[connection]\nid=em1\ntype=ethernet\ninterface-name=em1\n"},
            flags=("/etc/NetworkManager/system-connections/em1.nmconnection:4",),
            severity=Severity.WARNING,
            fixed={"/etc/NetworkManager/system-connections/em1.nmconnection": "[connection]\nid=em1\ntype=ethernet\n"},
        ),
        Example(
            {
                "/sbin/init": "",
                "/etc/sysconfig/network-scripts/ifup-eth": "",
                "/etc/rc.d/rc3.d/S10network": "",
                "/etc/sysconfig/network-scripts/ifcfg-p3p1": "DEVICE=p3p1\nBOOTPROTO=dhcp\nONBOOT=yes\n",
            },
            flags=("/etc/sysconfig/network-scripts/ifcfg-p3p1:1",),
            severity=Severity.ERROR,
        ),
        Example({"/etc/network/interfaces": "auto em0lan\niface em0lan inet dhcp\n"}),
        Example(
            {
                "/etc/network/interfaces": "auto em1\niface em1 inet dhcp\n",
                "/etc/systemd/network/10-lan.link": "[Match]\nMACAddress=00:50:56:9a:bc:01\n[Link]\nName=em1\n",
            }
        ),
    )

    def check(self, landing: NetworkLanding) -> Iterator[Finding]:
        if not landing.network.interfaces:
            raise NotApplicable("no network configuration was found")
        for loss in landing.losses:
            token = loss.tokens[0] if loss.tokens else None
            if token is None or loss.pins or loss.survival is not Survival.LOST or ifname_kind(token.value) is not IfNameKind.BIOSDEVNAME:
                continue
            message = f"{loss.config.manager} configures {token}, a name that only a physical machine's firmware gives"
            effect = "no card of a virtual machine gets that name: it stays without its configuration"
            severity = Severity.ERROR if landing.cut_off else Severity.WARNING
            yield self.finding(token.where, message, effect, severity=severity, fix=_any(loss.config, token, landing.network))


def _any(interface: InterfaceConfig, token: Token, network: Network) -> Fix | None:
    if interface.is_virtual or token not in interface.names or not interface.edits.match_any or len(network.cards) != 1:
        return None
    # They would take the name from that of the file instead.
    if interface.manager is Manager.NETWORK_SCRIPTS:
        return None
    applicability = Applicability.SAFE if interface.method is Method.DHCP else Applicability.UNSAFE
    return Fix(f"apply the configuration of {token.value} to any ethernet card", applicability, interface.edits.match_any)
