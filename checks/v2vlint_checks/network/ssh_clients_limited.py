"""Rule ssh-clients-limited."""

import re
from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Rule, Severity, Sshd, Target, Token, is_private_address

_CONFIG = "/etc/ssh/sshd_config"


class SshClientsLimited(Rule):
    """The SSH server admits only clients of the old network.

    ## What it does
    Reads `AllowUsers` in sshd_config, if every pattern states where the user comes from, and hosts.allow beside a hosts.deny that refuses
    the rest. Reported if all the places are private addresses, on targets that do not keep the network.

    ## Why it matters
    In another network the administrators come from other addresses, and sshd refuses them: the guest runs, but nobody can log in.

    ## References
    - sshd_config(5), "AllowUsers"; hosts_access(5) (Debian's sshd follows it, those of Red Hat Enterprise Linux 8 and later do not)
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"User \S+ from \S+ not allowed because not listed in AllowUsers", r"refused connect from")
    examples = (
        Example({_CONFIG: "AllowUsers root@10.0.0.* admin@10.0.0.0/8\n"}, flags=(f"{_CONFIG}:1",)),
        Example({"/etc/hosts.deny": "ALL: ALL\n", "/etc/hosts.allow": "# admins\nsshd: 192.168.4.\n"}, flags=("/etc/hosts.allow:2",)),
        Example({_CONFIG: "AllowUsers root@10.0.0.* admin\n"}, title="admin may come from anywhere"),
        Example({_CONFIG: "AllowUsers deploy@bastion.example.com\n#AllowUsers root@10.0.0.*\n"}),
        Example({"/etc/hosts.deny": "# ALL: PARANOID\n", "/etc/hosts.allow": "sshd: 192.168.4.\n"}, title="nobody is refused"),
        Example({"/etc/hosts.deny": "sshd: ALL\n", "/etc/hosts.allow": "sshd: ALL\n"}),
    )

    def check(self, sshd: Sshd, target: Target) -> Iterator[Finding]:
        if sshd.starts is False or target.keeps_network or not sshd.clients:
            raise NotApplicable("sshd does not start or does not limit its clients, or the target keeps the network")
        if all(map(_is_private, sshd.clients)):
            names = ", ".join(token.value for token in sshd.clients[:3])
            effect = "from another network nobody can log in by SSH"
            yield self.finding(sshd.clients[0].where, f"only clients of {names} can log in by SSH", effect)


def _is_private(client: Token) -> bool:
    """Whether an address pattern (``10.0.0.*``, ``192.168.4.``, ``10.0.0.0/8``) belongs to a private network."""
    parts = re.findall(r"\d{1,3}", client.value.partition("/")[0])
    plain = re.fullmatch(r"[\d.*?/]+", client.value)
    return bool(plain) and bool(parts) and is_private_address(".".join([*parts, "1", "1", "1"][:4]))
