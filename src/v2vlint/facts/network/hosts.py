"""hosts(5) and the guest's own name."""

from __future__ import annotations

from v2vlint.facts.network.ip_scope import is_loopback_address
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.shell_vars import shell_vars_from
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

PATH = "/etc/hosts"
_NAME_FILES = ("/etc/hostname", "/etc/HOSTNAME")
_NOBODY = frozenset({"localhost", "localhost.localdomain", "(none)", "unknown"})


@dataclass(frozen=True, slots=True)
class HostsEntry:
    """One line: an address and its names."""

    address: Token
    names: tuple[Token, ...]
    where: Span


@dataclass(frozen=True, slots=True)
class Hosts:
    """``entries`` in file order; ``hostname`` is the guest's stored name, None when it is assigned at boot."""

    entries: tuple[HostsEntry, ...] = ()
    hostname: Token | None = None
    malformed: tuple[Span, ...] = ()

    @property
    def own(self) -> tuple[HostsEntry, ...]:
        """Entries that map the guest's own name to an address other than loopback."""
        if self.hostname is None or self.hostname.value.lower() in _NOBODY:
            return ()
        full = self.hostname.value.lower()
        names = {full, full.split(".")[0]}
        mine = (entry for entry in self.entries if any(name.value.lower() in names for name in entry.names))
        return tuple(entry for entry in mine if not is_loopback_address(entry.address.value))


@provides
def parse_hosts(fs: GuestFS) -> Hosts:
    """The guest's hosts file and name. Missing files count as empty."""
    text = fs.text(PATH)
    entries: list[HostsEntry] = []
    malformed: list[Span] = []
    for line in text.lines() if text is not None else ():
        words = line.words()
        end = next((index for index, word in enumerate(words) if word.value.startswith("#")), len(words))
        if end >= 2:
            entries.append(HostsEntry(words[0], words[1:end], line.where))
        elif end == 1:
            malformed.append(line.where)
    return Hosts(tuple(entries), _hostname(fs), tuple(malformed))


def _hostname(fs: GuestFS) -> Token | None:
    for path in _NAME_FILES:
        text = fs.text(path)
        for line in text.lines() if text is not None else ():
            if not line.is_blank():
                return line.words()[0]
    text = fs.text("/etc/sysconfig/network")
    return shell_vars_from(text).get("HOSTNAME") if text is not None else None
