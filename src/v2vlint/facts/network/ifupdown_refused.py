"""Why ifupdown refuses a line of interfaces(5), and with it the file: Debian's 0.8.41 and 0.8.44 (``config.c``) were asked."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from v2vlint.guest.fs import GuestFS

_METHODS = {
    "inet": {"loopback", "static", "manual", "dhcp", "bootp", "tunnel", "ppp", "wvdial", "ipv4ll"},
    "inet6": {"auto", "loopback", "static", "manual", "dhcp", "tunnel", "v4tunnel", "6to4"},
    "ipx": {"static", "dynamic"},
    "can": {"static"},
    "meta": {"none"},
}
_LISTS = frozenset({"auto", "no-auto-down", "no-scripts"})
_KEYWORDS = _LISTS | {"iface", "mapping", "source", "rename"}
_INHERITS = "inherits"
_PROGRAMS = ("/sbin/ifup", "/usr/sbin/ifup")
_DPKG = "/var/lib/dpkg/info"
_EMPTY = "an empty word"


def lists_interfaces(keyword: str) -> bool:
    """Whether interfaces follow the keyword: ``auto``, ``allow-hotplug`` …; without any, the stanza that it is in is meant."""
    return keyword in _LISTS or (keyword.startswith("allow-") and keyword != "allow-")


def refuses(fs: GuestFS) -> bool | None:
    """Whether the guest's ``ifup`` is Debian's, which refuses a file for one line; False is ifupdown-ng or ifupdown2 (Cumulus, Proxmox),
    which pass over the line, and None another program, or none."""
    links = [link for path in _PROGRAMS if (link := fs.readlink(path)) is not None]
    if any("ifupdown2" in link or link.rpartition("/")[2] == "ifupdown" for link in links):
        return False
    debian, second = (fs.exists(f"{_DPKG}/{name}.list") for name in ("ifupdown", "ifupdown2"))
    return None if links or debian == second else debian


def refusal(words: Sequence[str], block: str, known: AbstractSet[tuple[str, str]], has_script: bool) -> str:
    """Why ifupdown refuses the logical line ``words``, as text; empty when it does not.

    ``block`` is the keyword of the stanza that the line is in (``iface``, ``mapping``, or empty), ``known`` are the names of the
    stanzas before it with their families, and with an empty one; ``has_script`` says that the mapping has one.
    """
    keyword = words[0]
    if keyword == "iface":
        return _refused_iface(words[1:], known)
    if keyword in _KEYWORDS or keyword.startswith("source-dir") or lists_interfaces(keyword):
        return ""
    if block == "iface":
        return f"{keyword} has no value" if len(words) == 1 else ""
    if block == "mapping" and keyword in ("script", "map"):
        return "the mapping has two scripts" if keyword == "script" and has_script else ""
    return f"{keyword or _EMPTY} is no option of a mapping" if block else f"{keyword or _EMPTY} is no keyword, and in no stanza"


def _refused_iface(words: Sequence[str], known: AbstractSet[tuple[str, str]]) -> str:
    if not words:
        return "iface has no name"
    family, method = (*words[1:3], "", "")[:2]
    if family != _INHERITS:
        if family not in _METHODS:
            return f"there is no address family {family}" if family else "it has no address family"
        if method != _INHERITS and method not in _METHODS[family]:
            return f"{family} has no method {method}" if method else "it has no method"
    return _refused_base(words, family, known)


def _refused_base(words: Sequence[str], family: str, known: AbstractSet[tuple[str, str]]) -> str:
    """``inherits`` is understood in place of the family, of the method, or after both."""
    at = next((number for number in (1, 2, 3) if list(words[number : number + 1]) == [_INHERITS]), None)
    if at is None:
        return ""
    base = (*words[at + 1 : at + 2], "")[0]
    if not base:
        return "inherits has no name"
    found = (base, "" if at == 1 else family) in known
    return "" if found else f"no stanza {base} that it could inherit comes before it"
