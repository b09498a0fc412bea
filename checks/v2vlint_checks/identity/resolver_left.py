"""Rule resolver-left."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Audience,
    Delete,
    Example,
    Finding,
    Fix,
    Link,
    Network,
    NotApplicable,
    ResolvConf,
    Rule,
    Severity,
)

_FILE = "/etc/resolv.conf"
_BUILDER = "search build.example.org\nnameserver 192.0.2.53\n"


class ResolverLeft(Rule):
    """The image has the name servers of the network that it was built in.

    ## What it does
    Finds `nameserver` lines in a plain /etc/resolv.conf: builders that work in a chroot copy the host's. For templates only; for a guest
    that moves to another network there is `private-nameserver`.

    ## Why it matters
    A copy in another network queries servers that do not answer or must not be used, and programs may not replace such a file.

    ## Fix safety
    Safe where the guest gets its addresses by DHCP from a client that writes the file; otherwise unsafe, because nothing recreates it.

    ## References
    - resolv.conf(5); Packer, mkosi and image-builder put the host's file into the tree while they work
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: _BUILDER}, flags=(f"{_FILE}:2",), fixed={_FILE: None}),
        Example(
            {_FILE: _BUILDER, "/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n"}, flags=(f"{_FILE}:2",), fixed={_FILE: None}
        ),
        Example({_FILE: Link("../run/systemd/resolve/stub-resolv.conf")}),
        Example({_FILE: "nameserver 127.0.0.53\n"}, title="a resolver of its own"),
        Example({_FILE: "# nothing\n"}),
    )

    def check(self, resolver: ResolvConf, network: Network) -> Iterator[Finding]:
        servers = [server for server in resolver.nameservers if not server.value.startswith("127.") and server.value != "::1"]
        if not servers:
            raise NotApplicable("no name server is stored")
        safety = Applicability.SAFE if network.writes_resolv_conf else Applicability.UNSAFE
        fix = Fix("delete resolv.conf", safety, (Delete(_FILE),))
        names = ", ".join(server.value for server in servers[:3])
        yield self.finding(servers[0].where, f"resolv.conf has the name servers {names}", "copies ask the builder's name servers", fix=fix)
