"""Web proxies configured for package managers and shells."""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_FILES = 200
_FILES = (
    "/etc/environment", "/etc/environment.d/*.conf", "/etc/profile.d/*.sh", "/etc/apt/apt.conf", "/etc/apt/apt.conf.d/*", "/etc/yum.conf",
    "/etc/dnf/dnf.conf", "/etc/sysconfig/proxy", "/etc/wgetrc",
)  # fmt: skip
_PROXY = re.compile(
    r"proxy[\w:\"']{0,20}[\s=:\"']{1,20}(?P<url>(?:https?|socks5?h?)://(?:[^/@\s\"']{1,200}@)?(?P<host>[\w.-]{1,255}|\[[0-9a-f:]{2,64}\])(?::\d+)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy setting: the URL, its host, and the line."""

    url: Token
    host: str
    where: Span


@dataclass(frozen=True, slots=True)
class Proxies:
    """Every proxy setting outside comments."""

    settings: tuple[Proxy, ...] = ()


@provides
def find_proxies(fs: GuestFS) -> Proxies:
    """Search the known files."""
    found: list[Proxy] = []
    for pattern in _FILES:
        for path in fs.glob(pattern)[:MAX_FILES]:
            text = fs.text(path)
            for line in text.lines() if text is not None else ():
                match = None if line.is_blank("#/") else _PROXY.search(line.text)
                if match:
                    found.append(Proxy(line.group(match, "url"), match["host"].strip("[]"), line.where))
    return Proxies(tuple(found))
