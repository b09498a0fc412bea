"""Rule interface-name-elsewhere."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, InterfaceMentions, NetworkLanding, NotApplicable, Rule, Severity, Survival


class InterfaceNameElsewhere(Rule):
    """A firewall, router or kernel setting names an interface whose name changes.

    ## What it does
    Searches files of firewalld, iptables, nftables, ufw, shorewall, keepalived, sysctl, dnsmasq, DHCP servers and others for interface
    names that the target does not keep. A heuristic: it matches words, without parsing each program's syntax.

    ## Why it matters
    The guest is up and reachable, but its rules apply to a card that does not exist: the firewall falls back to its default, the virtual
    address does not move, the daemon does not start.

    ## References
    - systemd.net-naming-scheme(7)
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.1"
    examples = (
        Example(
            {"/etc/firewalld/zones/public.xml": '<?xml version="1.0"?>\n<zone>\n  <interface name="ens192"/>\n</zone>\n'},
            flags=("/etc/firewalld/zones/public.xml:3",),
        ),
        Example(
            {"/etc/sysctl.d/60-rp.conf": "net.ipv4.conf.ens192.rp_filter = 2\nnet/ipv4/conf/ens224/rp_filter = 2\n"},
            flags=("/etc/sysctl.d/60-rp.conf:1", "/etc/sysctl.d/60-rp.conf:2"),
        ),
        Example({"/etc/sysctl.d/60-rp.conf": "# net.ipv4.conf.ens192.rp_filter = 2\nnet.ipv4.conf.all.rp_filter = 2\n"}),
        Example({"/etc/iptables/rules.v4": "-A INPUT -i eth0 -j ACCEPT\n"}),
    )

    def check(self, mentions: InterfaceMentions, landing: NetworkLanding) -> Iterator[Finding]:
        if not mentions.mentions:
            raise NotApplicable("no interface is named in the files searched")
        for mention in mentions.mentions:
            survival = landing.name(mention.name.value)
            if survival is Survival.LOST or (survival is Survival.UNSURE and landing.network.policy.predictable is not None):
                message = f"{mention.program} names the interface {mention.name}, which changes with the virtual hardware"
                yield self.finding(mention.name.where, message, "the setting does not apply to the card that replaces it")
