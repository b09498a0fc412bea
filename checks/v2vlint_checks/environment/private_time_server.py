"""Rule private-time-server."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Rule, Severity, Target, TimeServer, TimeSources, is_local_host

_CLOUDS = frozenset({"169.254.169.123", "fd00:ec2::123", "metadata.google.internal", "169.254.169.254"})
"""Time servers that answer only inside one cloud, whatever network the guest is in."""


class PrivateTimeServer(Rule):
    """All time servers belong to the network or cloud the guest came from.

    ## What it does
    Finds chrony, ntpd and timesyncd settings in which every server has a private address, a local name, or is one cloud's own.
    The target's own (`time_servers` of its profile) are fine.

    ## Why it matters
    In another network none of them answers and the clock drifts. Kerberos, TLS and clusters stop working days later.

    ## References
    - chrony.conf(5), ntp.conf(5), timesyncd.conf(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/chrony.conf": "# servers\nserver 10.0.0.1 iburst\npool ntp.corp.lan\nmakestep 1.0 3\n"}, flags=("/etc/chrony.conf:2",)
        ),
        Example({"/etc/systemd/timesyncd.conf": "[Time]\nNTP=10.0.0.1\n"}, flags=("/etc/systemd/timesyncd.conf:2",)),
        Example({"/etc/chrony/chrony.conf": "server 169.254.169.123 prefer iburst\n"}, flags=("/etc/chrony/chrony.conf:1",)),
        Example({"/etc/chrony/chrony.conf": "server 169.254.169.123 prefer iburst\n"}, target="ec2-nitro"),
        Example({"/etc/chrony/chrony.conf": "server 10.0.0.1 iburst\npool 2.debian.pool.ntp.org iburst\n"}),
        Example({"/etc/ntp.conf": "server 127.127.1.0\nserver 0.centos.pool.ntp.org\n#server 10.0.0.1\n"}),
        Example({"/etc/ntp.conf": "server 10.0.0.1\n", "/sbin/init": ""}, title="ntpd does not start"),
    )

    def check(self, times: TimeSources, target: Target) -> Iterator[Finding]:
        if not times.servers:
            raise NotApplicable("no time server is configured")
        for daemon in ("chrony", "ntp", "timesyncd"):
            servers = times.of(daemon)
            if servers and all(_is_left_behind(server, target) for server in servers):
                hosts = ", ".join(server.host.value for server in servers[:3])
                effect = f"none of them answers on {target.name} unless its network reaches them: the clock drifts"
                yield self.finding(servers[0].host.where, f"{daemon} uses only {hosts}", effect)


def _is_left_behind(server: TimeServer, target: Target) -> bool:
    host = server.host.value.lower()
    if host in target.time_servers:
        return False
    return host in _CLOUDS or (not target.keeps_network and is_local_host(host))
