"""Rule host-name-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, CloudInit, Example, Finding, Fix, Hosts, NotApplicable, Rule, Severity, replace_token

_FILE = "/etc/hostname"
_NEUTRAL = frozenset({"localhost", "localhost.localdomain", "(none)", "unknown", "localhost6", "localhost.localdomain6"})


class HostNameLeft(Rule):
    """The image has the name of the machine that it was built on.

    ## What it does
    Finds a name in /etc/hostname (/etc/HOSTNAME, `HOSTNAME=` in /etc/sysconfig/network) that is not `localhost`, where no cloud-init sets
    another one. For templates only.

    ## Why it matters
    All copies have the same name: logs and monitoring mix them up, DHCP registers them under one name, and a name from the network is
    ignored while one is stored.

    ## Fix safety
    Unsafe: the name becomes `localhost.localdomain`, which systemd and NetworkManager replace with the name from DHCP or DNS. Configuration
    that contains the old name stays.

    ## References
    - hostname(5), systemd-hostnamed(8); virt-sysprep's `net-hostname`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "builder-7\n"}, flags=(f"{_FILE}:1",), fixed={_FILE: "localhost.localdomain\n"}),
        Example(
            {"/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=builder\n"},
            flags=("/etc/sysconfig/network:2",),
            fixed={"/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=localhost.localdomain\n"},
        ),
        Example({_FILE: "localhost\n"}),
        Example({_FILE: "web\n"}, given=(CloudInit(runs=True),), title="cloud-init sets another"),
    )

    def check(self, hosts: Hosts, cloud_init: CloudInit) -> Iterator[Finding]:
        name = hosts.hostname
        if name is None or name.value.lower() in _NEUTRAL or cloud_init.runs:
            raise NotApplicable("cloud-init sets the name of each machine" if cloud_init.runs else "no name is stored")
        fix = Fix("let the network name the machine", Applicability.UNSAFE, (replace_token(name, "localhost.localdomain"),))
        yield self.finding(name.where, f"the host name {name.value} is stored", "every copy has the same name", fix=fix)
