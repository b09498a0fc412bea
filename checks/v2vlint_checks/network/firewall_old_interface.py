"""Rule firewall-old-interface."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Firewalls, NetworkVerdict, NotApplicable, Rule, Severity, Stage, Survival

_RULES = "/etc/iptables/rules.v4"
_HEAD = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
_NFT = "table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n  iif lo accept\n"
_ON = {"/sbin/init": "", "/etc/systemd/system/multi-user.target.wants/nftables.service": ""}


class FirewallOldInterface(Rule):
    """A firewall admits SSH only on an interface that has another name on the target.

    ## What it does
    Reads saved iptables rules, ufw's, nftables.conf and firewalld's zones. It considers those that reject by default and admit port 22 only
    on named interfaces, and compares the names with those of the target's cards.

    ## Why it matters
    The card comes up with an address, and every packet to it is dropped: nobody can log in.

    ## References
    - iptables-save(8), nft(8), ufw(8), firewalld.zone(5)
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
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

    def check(self, firewalls: Firewalls, network: NetworkVerdict) -> Iterator[Finding]:
        if not firewalls.gates:
            raise NotApplicable("no firewall that admits SSH on certain interfaces only was found")
        for cause in network.firewall:
            verb = "has" if cause.about.survival is Survival.LOST else "may have"
            effect = f"the card {verb} another name there, and every login from outside is refused"
            yield self.finding(cause.about.names[0].where, cause.reason, effect, severity=cause.severity)
