"""Rule firewall-old-interface."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Firewalls, NetworkLanding, NotApplicable, Rule, Severity, SshGate, Survival

_RULES = "/etc/iptables/rules.v4"
_HEAD = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
_NFT = "table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n  iif lo accept\n"
_ON = {"/sbin/init": "", "/etc/systemd/system/multi-user.target.wants/nftables.service": ""}


class FirewallOldInterface(Rule):
    """A firewall admits SSH on an interface only that is called otherwise on the target.

    ## What it does
    Reads saved iptables rules, ufw's, nftables.conf and firewalld's zones: those that refuse what no rule admits, and admit port 22 on
    named interfaces only. The names are compared with those of the target's cards.

    ## Why it matters
    The card comes up with an address, and every packet to it is dropped: nobody can log in.

    ## References
    - iptables-save(8), nft(8), ufw(8), firewalld.zone(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_RULES: f"{_HEAD}-A INPUT -i ens192 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"}, flags=(f"{_RULES}:5",)),
        Example(
            {**_ON, "/etc/nftables.conf": _NFT + '  iifname "ens192" tcp dport { 22, 80 } accept\n }\n}\n'},
            flags=("/etc/nftables.conf:5",),
            severity=Severity.ERROR,
            title="it is loaded at boot",
        ),
        Example(
            {
                "/etc/firewalld/firewalld.conf": "DefaultZone=drop\n",
                "/usr/lib/firewalld/zones/drop.xml": '<zone target="DROP"/>\n',
                "/etc/firewalld/zones/lan.xml": '<zone>\n<service name="ssh"/>\n<interface name="ens192"/>\n</zone>\n',
            },
            flags=("/etc/firewalld/zones/lan.xml:3",),
        ),
        Example({_RULES: f"{_HEAD}-A INPUT -i ens192 -p tcp --dport 80 -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"}),
        Example({_RULES: f"{_HEAD}-A INPUT -i e+ -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"}, title="any ethernet card"),
        Example({_RULES: "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -i ens192 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"}),
        Example({"/etc/nftables.conf": _NFT + '  iifname "ens192" tcp dport 80 accept\n  tcp dport ssh accept\n }\n}\n'}),
    )

    def check(self, firewalls: Firewalls, landing: NetworkLanding) -> Iterator[Finding]:
        if not firewalls.gates:
            raise NotApplicable("no firewall that admits SSH on certain interfaces only was found")
        for gate in firewalls.gates:
            survival = max(landing.name(_glob(token.value)) for token in gate.interfaces)
            if gate.runs is False or survival is Survival.KEPT or (survival is Survival.UNSURE and _usual(gate, landing)):
                continue
            names = ", ".join(token.value for token in gate.interfaces[:3])
            certain = gate.runs is True and survival is Survival.LOST
            verb = "has" if survival is Survival.LOST else "may have"
            yield self.finding(
                gate.interfaces[0].where,
                f"the firewall ({gate.program}) admits SSH on {names} only",
                f"the card {verb} another name there, and every login from outside is refused",
                severity=Severity.ERROR if certain else Severity.WARNING,
            )


def _usual(gate: SshGate, landing: NetworkLanding) -> bool:
    return any(token.value in landing.usual_names for token in gate.interfaces)


def _glob(name: str) -> str:
    return f"{name[:-1]}*" if name.endswith("+") else name
