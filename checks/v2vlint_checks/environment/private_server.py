"""Rule private-server."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Rule, Server, Servers, Severity, Target, is_private_address

_SSSD, _KRB, _LOG = "/etc/sssd/sssd.conf", "/etc/krb5.conf", "/etc/rsyslog.d/remote.conf"


class PrivateServer(Rule):
    """A service uses a server of the old network by its fixed address.

    ## What it does
    Finds private addresses of LDAP and Kerberos servers (sssd, nslcd, krb5.conf), log servers (rsyslog, syslog-ng, journal-upload),
    monitoring (Zabbix, NRPE) and automounts, on targets that do not keep the network. Host names are ignored: a resolver may know them.

    ## Why it matters
    Without the account server logins hang and fail; without the others logs and alarms are silently lost, and access to automounted
    folders hangs.

    ## References
    - sssd-ldap(5), krb5.conf(5), rsyslog.conf(5), autofs(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_SSSD: "[domain/corp]\nldap_uri = ldaps://10.0.0.20, ldaps://10.0.0.21\n"}, flags=(f"{_SSSD}:2",)),
        Example({_KRB: "[realms]\nCORP = {\n  kdc = 10.0.0.20:88\n}\n"}, flags=(f"{_KRB}:3",)),
        Example({_LOG: "*.* @@10.0.0.30:6514\n"}, flags=(f"{_LOG}:1",), severity=Severity.INFO),
        Example(
            {_LOG: 'action(type="omfwd" target="192.168.4.9" port="514")\n'}, flags=(f"{_LOG}:1",), severity=Severity.INFO
        ),
        Example({"/etc/zabbix/zabbix_agentd.conf": "Server=127.0.0.1,10.0.0.40\nServerActive=10.0.0.40\n"},
                flags=("/etc/zabbix/zabbix_agentd.conf:1", "/etc/zabbix/zabbix_agentd.conf:2"), severity=Severity.INFO),
        Example({"/etc/auto.data": "data -rw 10.0.0.9:/export/data\n"}, flags=("/etc/auto.data:1",)),
        Example({_SSSD: "[domain/corp]\nldap_uri = ldaps://ldap.example.com\n", _LOG: "*.* @@logs.example.com\n#*.* @@10.0.0.30\n"}),
        Example({_LOG: "*.* @127.0.0.1:10514\n*.* @@8.8.4.4\n"}, title="itself, and a public server"),
        Example({_SSSD: "ldap_uri = ldap://10.0.0.20\n", "/sbin/init": ""}, title="sssd does not run"),
    )  # fmt: skip

    def check(self, servers: Servers, target: Target) -> Iterator[Finding]:
        if target.keeps_network or not servers.servers:
            raise NotApplicable("no server has a fixed address, or the target keeps the network")
        for server in servers.servers:
            if is_private_address(server.host.value.strip("[]")):
                message = f"{server.program} uses the server {server.host} ({server.kind})"
                severity = Severity.INFO if server.kind in ("logs", "monitoring") else Severity.WARNING
                yield self.finding(server.host.where, message, _effect(server), severity=severity)


def _effect(server: Server) -> str:
    lost = {
        "accounts": "nobody with an account there can log in",
        "files": "access to the folder hangs",
        "logs": "the logs are lost",
        "monitoring": "the machine is no longer monitored",
    }
    return f"in another network it does not answer: {lost[server.kind]}"
