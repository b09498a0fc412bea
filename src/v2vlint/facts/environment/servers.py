"""Servers that programs use by a fixed address: accounts, logs, monitoring, network filesystems."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.environment.services import Services
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAX_FILES = 200
MAX_SERVERS = 500
_HOST = r"(?P<host>(?!127\.)\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:]{3,45}\])"
_URI = re.compile(rf"(?i)\bldaps?://{_HOST}(?=[\s:/,\"']|$)")
_VALUE = rf"\s*[=:]\s*[^#\n]*?(?<![\w.]){_HOST}(?=[\s,;:\"']|$)"
ACCOUNTS, LOGS, MONITORING, FILES = "accounts", "logs", "monitoring", "files"


@dataclass(frozen=True, slots=True)
class _Source:
    program: str
    kind: str
    patterns: tuple[str, ...]
    line: re.Pattern[str]
    services: tuple[str, ...] = ()


def _keys(*names: str) -> re.Pattern[str]:
    return re.compile(rf"(?i)^\s*(?:{'|'.join(names)}){_VALUE}")


_SSSD = ("/etc/sssd/sssd.conf", "/etc/sssd/conf.d/*.conf")
_SOURCES = (
    _Source("sssd", ACCOUNTS, _SSSD, _URI, ("sssd",)),
    _Source("sssd", ACCOUNTS, _SSSD, _keys("krb5_server", "ad_server", "ipa_server"), ("sssd",)),
    _Source("nslcd", ACCOUNTS, ("/etc/nslcd.conf",), _URI, ("nslcd",)),
    _Source("LDAP", ACCOUNTS, ("/etc/ldap.conf", "/etc/ldap/ldap.conf", "/etc/openldap/ldap.conf"), _URI),
    _Source("Kerberos", ACCOUNTS, ("/etc/krb5.conf", "/etc/krb5.conf.d/*"), _keys("kdc", "admin_server", "master_kdc")),
    _Source("rsyslog", LOGS, ("/etc/rsyslog.conf", "/etc/rsyslog.d/*.conf"), re.compile(rf"^[^#\n]*\s@@?{_HOST}(?=[\s:;]|$)")),
    _Source("rsyslog", LOGS, ("/etc/rsyslog.conf", "/etc/rsyslog.d/*.conf"), re.compile(rf'(?i)^[^#\n]*\btarget="{_HOST}"')),
    _Source("syslog-ng", LOGS, ("/etc/syslog-ng/syslog-ng.conf", "/etc/syslog-ng/conf.d/*.conf"),
            re.compile(rf'^[^#\n]*destination[^#\n]*\b(?:tcp|udp|network|syslog)\(\s*"{_HOST}"')),
    _Source("journal-upload", LOGS, ("/etc/systemd/journal-upload.conf",), re.compile(rf"^URL=(?:https?://)?{_HOST}(?=[:/\s]|$)"),
            ("systemd-journal-upload",)),
    _Source("the Zabbix agent", MONITORING, ("/etc/zabbix/zabbix_agent*.conf", "/etc/zabbix/zabbix_agent*.d/*.conf"),
            _keys("Server", "ServerActive"), ("zabbix-agent", "zabbix-agent2")),
    _Source("NRPE", MONITORING, ("/etc/nagios/nrpe.cfg", "/etc/nrpe.cfg"), re.compile(
        rf"^allowed_hosts=(?:127\.0\.0\.1,|::1,|localhost,)*{_HOST}(?=[,/\s]|$)"), ("nrpe", "nagios-nrpe-server")),
    _Source("autofs", FILES, ("/etc/auto.*", "/etc/auto.master.d/*"), re.compile(rf"^[^#\n]*\s(?:://)?:?{_HOST}:/"), ("autofs",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Server:
    """A server that ``program`` uses by its address; ``kind`` is its purpose: accounts, logs, monitoring, files."""

    program: str
    kind: str
    host: Token


@dataclass(frozen=True, slots=True)
class Servers:
    """All servers with fixed addresses, in the order of the files searched."""

    servers: tuple[Server, ...] = ()


@provides
def find_servers(fs: GuestFS, services: Services) -> Servers:
    """Search the files of programs that run or may run."""
    found: list[Server] = []
    for source in _SOURCES:
        if source.services and services.starts(*source.services) is False:
            continue
        for path in [path for pattern in source.patterns for path in fs.glob(pattern)][:MAX_FILES]:
            text = fs.text(path)
            found += [Server(source.program, source.kind, host) for host in (_hosts(text, source.line) if text is not None else ())]
    return Servers(tuple(found[:MAX_SERVERS]))


def _hosts(text: GuestText, pattern: re.Pattern[str]) -> Iterator[Token]:
    for line in text.lines():
        match = pattern.search(line.text[:2000]) if not line.is_blank("#;") else None  # bounds the time on a hostile line
        if match is not None:
            yield line.token(match.start("host"), match.end("host"))
