"""Values that the guest's DHCP clients use instead of the server's: dhclient.conf(5), dhcpcd.conf(5), networkd.conf(5)::

supersede domain-name-servers 10.0.0.53;
prepend routers 10.0.0.1;
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.network.dhcpcd import PATHS
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.facts.syntax.systemd_unit import read_settings
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

DHCLIENT = ("/etc/dhcp/dhclient.conf", "/etc/dhclient.conf", "/etc/dhcp3/dhclient.conf")
MAX_FILES = 100
_STATEMENT = re.compile(
    r"^[^#\n]*?\b(?P<verb>supersede|prepend|default)\s+(?P<option>domain-name-servers|routers|dhcp6\.name-servers|ntp-servers)\s+"
    r"(?P<values>[^;\n]{1,500});",
    re.MULTILINE,
)
_IDENTITY = re.compile(r"^[^#\n]*?\bsend\s+(?:dhcp-client-identifier|dhcp6\.client-id)\s+(?P<value>[^;\n]{1,200});", re.MULTILINE)
_STATIC = re.compile(r"^[ \t]*static[ \t]+(?P<option>routers|domain_name_servers)=(?P<values>\S[^\n#]{0,500})", re.MULTILINE)
_OPTIONS = {"domain_name_servers": "name servers", "domain-name-servers": "name servers", "dhcp6.name-servers": "name servers",
            "routers": "routers", "ntp-servers": "time servers"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DhcpOverride:
    """Addresses that ``program`` uses as ``what`` (``routers``, ``name servers``…). ``instead``: in place of the server's, not before."""

    program: str
    what: str
    values: tuple[Token, ...]
    instead: bool


@dataclass(frozen=True, slots=True)
class DhcpClients:
    """``overrides`` in file order; ``identities`` are fixed client identifiers."""

    overrides: tuple[DhcpOverride, ...] = ()
    identities: tuple[Token, ...] = ()


@provides
def parse_dhcp_clients(fs: GuestFS) -> DhcpClients:
    """Statements of dhclient and dhcpcd, and networkd's fixed DUID. Missing files count as empty."""
    overrides: list[DhcpOverride] = []
    identities: list[Token] = []
    for path in (*DHCLIENT, *(found for folder in DHCLIENT for found in fs.glob(folder.replace(".conf", "-*.conf"))))[:MAX_FILES]:
        if (text := fs.text(path)) is not None:
            overrides += _overrides(text, _STATEMENT, "dhclient")
            identities += [text.group(match, "value") for match in _IDENTITY.finditer(text.content)]
    text = next((found for path in PATHS if (found := fs.text(path)) is not None), None)
    overrides += _overrides(text, _STATIC, "dhcpcd") if text is not None else ()
    duid = read_settings(fs, "networkd.conf").get("DHCP", "DUIDRawData")
    return DhcpClients(tuple(overrides), (*identities, *((duid,) if duid is not None and duid.value else ())))


def _overrides(text: GuestText, pattern: re.Pattern[str], program: str) -> Iterator[DhcpOverride]:
    for match in pattern.finditer(text.content):
        values = text.group(match, "values")
        words = tuple(slice_token(values, word.start(), word.end()) for word in re.finditer(r"[^\s,;]+", values.value))
        yield DhcpOverride(program, _OPTIONS[match["option"]], words, match.groupdict().get("verb", "supersede") == "supersede")
