"""Rule sshd-listen-address."""

import ipaddress
from collections.abc import Iterator

from v2vlint.api import Example, Finding, NetworkLanding, NotApplicable, Rule, Severity, Sshd, Survival, Target, Token

_CONFIG = "/etc/ssh/sshd_config"
_ON = {"/sbin/init": "", "/etc/systemd/system/multi-user.target.wants/ssh.service": ""}


class SshdListenAddress(Rule):
    """The SSH server listens on an address or a card of the old network only.

    ## What it does
    Reads `ListenAddress` of sshd_config with its includes, and `ListenStream=` and `BindToDevice=` of an enabled ssh.socket, on targets
    that do not keep the network. One address that any network has (`0.0.0.0`, `::`) is enough to be fine.

    ## Why it matters
    With another address sshd cannot bind ("Cannot bind any address"), or listens where nobody comes from: the guest runs, and nobody can
    log in.

    ## References
    - sshd_config(5), systemd.socket(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"[Cc]annot bind any address", r"Bind to port 22 on \S+ failed")
    examples = (
        Example({**_ON, _CONFIG: "Port 22\nListenAddress 10.20.30.40\n"}, flags=(f"{_CONFIG}:2",)),
        Example({**_ON, _CONFIG: "listenaddress [2001:db8::5]:22\n"}, flags=(f"{_CONFIG}:1",)),
        Example(
            {
                "/sbin/init": "",
                "/etc/systemd/system/sockets.target.wants/ssh.socket": "",
                "/etc/systemd/system/ssh.socket.d/lan.conf": "[Socket]\nListenStream=10.20.30.40:22\n",
            },
            flags=("/etc/systemd/system/ssh.socket.d/lan.conf:2",),
        ),
        Example({**_ON, _CONFIG: "ListenAddress 10.20.30.40\nListenAddress 0.0.0.0\n"}),
        Example({**_ON, _CONFIG: "#ListenAddress 10.20.30.40\nMatch Address 10.0.0.0/8\n  ListenAddress 10.20.30.40\n"}),
        Example(
            {_CONFIG: "ListenAddress 10.20.30.40\n", "/sbin/init": "", "/lib/systemd/system/ssh.service": ""}, title="sshd does not start"
        ),
    )

    def check(self, sshd: Sshd, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        if sshd.starts is False or target.keeps_network:
            raise NotApplicable("sshd does not start, or the network stays")
        addresses = [token for token in sshd.listen if _is_address(token)]
        if addresses and len(addresses) == len(sshd.listen) and all(_is_own(token) for token in addresses):
            names = ", ".join(token.value for token in addresses[:3])
            effect = "in another network it cannot bind, and nobody can log in by SSH"
            yield self.finding(addresses[0].where, f"sshd listens on {names} only (ListenAddress)", effect)
        for device in sshd.devices:
            if landing.name(device.value) is not Survival.KEPT:
                yield self.finding(
                    device.where, f"sshd's socket is bound to {device}", "the card has another name there: nobody can log in by SSH"
                )


def _is_address(token: Token) -> bool:
    try:
        ipaddress.ip_address(token.value)
    except ValueError:
        return False
    return True


def _is_own(token: Token) -> bool:
    """Whether only a machine with this address can bind to it."""
    address = ipaddress.ip_address(token.value)
    return not address.is_unspecified and not address.is_loopback
