"""Rule sshd-listen-address."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NetworkVerdict, NotApplicable, Rule, Severity, Sshd, Stage, Target

_CONFIG = "/etc/ssh/sshd_config"
_ON = {"/sbin/init": "", "/etc/systemd/system/multi-user.target.wants/ssh.service": ""}


class SshdListenAddress(Rule):
    """The SSH server listens only on an address or interface of the old network.

    ## What it does
    Reads `ListenAddress` in sshd_config and its includes, and `ListenStream=` and `BindToDevice=` of an enabled ssh.socket, on targets
    that do not keep the network. A single address valid in any network (`0.0.0.0`, `::`) is enough.

    ## Why it matters
    With another address sshd cannot bind ("Cannot bind any address"), or listens where no client can reach it: the guest runs, but nobody
    can log in.

    ## References
    - sshd_config(5), systemd.socket(5)
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.1"
    predicts = (r"[Cc]annot bind any address", r"Bind to port 22 on \S+ failed")
    examples = (
        Example({**_ON, _CONFIG: "Port 22\nListenAddress 10.20.30.40\n"}, flags=(f"{_CONFIG}:2",)),
        Example({**_ON, _CONFIG: "listenaddress [2001:db8::5]:22\n"}, flags=(f"{_CONFIG}:1",)),
        Example(
            {
                "/sbin/init": "",
                "/etc/systemd/system/sockets.target.wants/ssh.socket": "",
                "/usr/lib/systemd/system/ssh.socket": "[Socket]\nListenStream=22\n",
                "/etc/systemd/system/ssh.socket.d/lan.conf": "[Socket]\nListenStream=10.20.30.40:22\n",
            },
            title="the socket listens on the port anywhere, too",
        ),
        Example(
            {
                "/sbin/init": "",
                "/etc/systemd/system/sockets.target.wants/ssh.socket": "",
                "/etc/systemd/system/ssh.socket.d/lan.conf": "[Socket]\nListenStream=10.20.30.40:22\n",
            },
            flags=("/etc/systemd/system/ssh.socket.d/lan.conf:2",),
        ),
        Example(
            {
                "/sbin/init": "",
                "/usr/lib/systemd/system/ssh.socket": "[Socket]\nListenStream=22\nBindToDevice=ens192\n",
                "/etc/systemd/system/sockets.target.wants/ssh.socket": "",
                "/usr/lib/udev/rules.d/80-net-setup-link.rules": "x\n",
                "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1\n}\n",
            },
            flags=("/usr/lib/systemd/system/ssh.socket:3",),
            severity=Severity.ERROR,
            title="bound to a card that surely has another name",
        ),
        Example({**_ON, _CONFIG: "ListenAddress 10.20.30.40\nListenAddress 0.0.0.0\n"}),
        Example({**_ON, _CONFIG: "#ListenAddress 10.20.30.40\nMatch Address 10.0.0.0/8\n  ListenAddress 10.20.30.40\n"}),
        Example(
            {_CONFIG: "ListenAddress 10.20.30.40\n", "/sbin/init": "", "/lib/systemd/system/ssh.service": ""}, title="sshd does not start"
        ),
    )

    def check(self, sshd: Sshd, network: NetworkVerdict, target: Target) -> Iterator[Finding]:
        if sshd.starts is False or target.keeps_network:
            raise NotApplicable("sshd does not start, or the target keeps the network")
        for cause in network.sshd:
            by_card = cause.about.names[0] in sshd.devices
            effect = "the card has another name there" if by_card else "in another network it cannot bind"
            yield self.finding(cause.about.names[0].where, cause.reason, f"{effect}: nobody can log in by SSH", severity=cause.severity)
