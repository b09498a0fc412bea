"""Rule hosts-own-address."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    CloudInit,
    Example,
    Finding,
    Fix,
    Hosts,
    NotApplicable,
    Rule,
    Severity,
    Target,
    is_link_local,
    replace_token,
)

_HOSTS = "127.0.0.1\tlocalhost\n192.0.2.5\tdb01.example.org\tdb01\n"


class HostsOwnAddress(Rule):
    """/etc/hosts gives the guest's own name a fixed address.

    ## What it does
    Finds the guest's host name in /etc/hosts with an address that is not loopback.

    ## Why it matters
    In another network the name resolves to some other machine. Databases, mail and cluster services bind to their own name, and fail to
    start or are unreachable; `sudo` and `ssh` wait for time-outs.

    ## Fix safety
    Unsafe: services that bind to their own name then listen on loopback only.

    ## References
    - hosts(5), hostname(1); Debian maps the name to 127.0.1.1
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/hostname": "db01\n", "/etc/hosts": _HOSTS},
            flags=("/etc/hosts:2",),
            fixed={"/etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tdb01.example.org\tdb01\n"},
        ),
        Example({"/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=db01.example.org\n", "/etc/hosts": _HOSTS}, flags=("/etc/hosts:2",)),
        Example({"/etc/hostname": "guest\n", "/etc/hosts": "127.0.0.1 localhost\n127.0.1.1 guest\n192.0.2.7 other\n::1 localhost\n"}),
        Example({"/etc/hostname": "db01\n", "/etc/hosts": "127.0.0.1 localhost\n#192.0.2.5 db01\n"}),
        Example(
            {"/etc/hostname": "db01\n", "/etc/hosts": _HOSTS, "/etc/cloud/cloud.cfg": "manage_etc_hosts: true\n"},
            title="cloud-init writes the file at boot",
        ),
    )

    def check(self, hosts: Hosts, cloud_init: CloudInit, target: Target) -> Iterator[Finding]:
        if target.keeps_network or (cloud_init.manages_hosts and cloud_init.runs is not False):
            raise NotApplicable("the target keeps the network, or cloud-init writes the file")
        for entry in hosts.own:
            if is_link_local(entry.address.value):
                continue
            version = "::1" if ":" in entry.address.value else "127.0.1.1"  # Debian's convention for the machine's own name
            yield self.finding(
                entry.address.where,
                f"the guest's own name {hosts.hostname} has the address {entry.address}",
                "in another network its own name leads to another machine or nowhere",
                fix=Fix("map the guest's name to loopback", Applicability.UNSAFE, (replace_token(entry.address, version),)),
            )
