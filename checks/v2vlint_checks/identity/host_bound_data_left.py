"""Rule host-bound-data-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/lib/yum/uuid"


class HostBoundDataLeft(Rule):
    """Programs have stored data that only this machine should have.

    ## What it does
    Finds the ids by which yum, smolt and Debian's popularity contest count machines, host-bound files of rpm and blkid, and the state
    of DHCP and Dovecot servers. For templates.

    ## Why it matters
    Copies are counted as one machine, and start with leases and device tables of another one.

    ## Fix safety
    Unsafe: a server forgets its clients. Other programs recreate their files.

    ## References
    - virt-sysprep's `blkid-tab`, `dhcp-server-state`, `dovecot-data`, `rpm-db`, `smolt-uuid`, `yum-uuid`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/etc/yum.conf": "[main]\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("host-bound")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete what is bound to this machine", Applicability.UNSAFE, traces.deletions("host-bound"))
        message = (
            "data that is bound to this machine is stored"
            if len(found) == 1
            else f"{len(found)} files that are bound to this machine are stored"
        )
        yield self.finding(found[0], message, "copies start with it", fix=fix, related=found[1:20])
