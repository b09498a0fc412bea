"""How host names are resolved: resolv.conf(5), and resolved.conf(5) of systemd-resolved."""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.systemd_unit import read_settings
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, Where, WholeFile

PATH = "/etc/resolv.conf"
_WRITERS = re.compile(
    r"(?im)^[#;].*?(NetworkManager|dhclient|dhcpcd|resolvconf|systemd-resolved|cloud-init|netconfig|connman|wicked|udhcpc|pump|azure|WSL)"
)


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """The resolver's settings.

    ``link`` is the target of /etc/resolv.conf when it is a link; ``writer`` the program that its header names as author. ``nameservers``
    and ``search`` come from a plain file; ``resolved`` is ``DNS=`` of systemd-resolved, which applies whatever resolv.conf is.
    """

    where: Where = WholeFile(PATH)
    link: str = ""
    writer: str = ""
    nameservers: tuple[Token, ...] = ()
    search: tuple[Token, ...] = ()
    resolved: tuple[Token, ...] = ()
    malformed: tuple[Span, ...] = ()

    @property
    def is_static(self) -> bool:
        """Whether an administrator set the servers permanently: the file is not a link, and no program rewrites it."""
        return bool(self.nameservers) and not self.link and not self.writer


@provides
def parse_resolv_conf(fs: GuestFS) -> ResolvConf:
    """The resolver's settings. A missing file and a link count as empty."""
    resolved = _resolved(fs)
    link = fs.readlink(PATH)
    text = fs.text(PATH) if link is None else None
    if text is None:
        return ResolvConf(link=link or "", resolved=resolved)
    servers: list[Token] = []
    search: tuple[Token, ...] = ()
    malformed: list[Span] = []
    for line in text.lines():
        words = line.words()
        if line.is_blank("#;"):
            continue
        if words[0].value == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0].value in ("search", "domain"):
            search = words[1:]
        elif words[0].value not in ("options", "sortlist"):
            malformed.append(line.where)
    return ResolvConf(text.span(0, 0), "", _writer(text), tuple(servers), search, resolved, tuple(malformed))


def _writer(text: GuestText) -> str:
    match = _WRITERS.search(text.content[:2000])
    return match[1] if match else ""


def _resolved(fs: GuestFS) -> tuple[Token, ...]:
    return tuple(word for value in read_settings(fs, "resolved.conf").all("Resolve", "DNS") for word in words_of(value))
