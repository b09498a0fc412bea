"""The guest's time sources: chrony.conf(5), ntp.conf(5), timesyncd.conf(5), hwclock(8)'s adjtime."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.environment.services import Services
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.layers import layered
from v2vlint.facts.syntax.systemd_unit import read_settings
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

CHRONY = ("/etc/chrony/chrony.conf", "/etc/chrony.conf")
NTP = ("/etc/ntpsec/ntp.conf", "/etc/ntp.conf")
ADJTIME = "/etc/adjtime"
MAX_DEPTH = 8
MAX_FILES = 200
_DAEMONS = {"chrony": ("chronyd", "chrony"), "ntp": ("ntpd", "ntp", "ntpsec"), "timesyncd": ("systemd-timesyncd",)}


@dataclass(frozen=True, slots=True)
class TimeServer:
    """A server or pool used by ``daemon`` (``chrony``, ``ntp``, ``timesyncd``)."""

    daemon: str
    host: Token
    where: Span


@dataclass(frozen=True, slots=True)
class RefClock:
    """A clock device of this machine that chronyd reads: ``driver`` is ``PHC``, ``PPS``, ``SHM`` or ``SOCK``."""

    driver: str
    device: Token
    where: Span


@dataclass(frozen=True, slots=True)
class TimeSources:
    """The time sources of every daemon that runs or may run, and the place that keeps the hardware clock in local time, if any."""

    servers: tuple[TimeServer, ...] = ()
    refclocks: tuple[RefClock, ...] = ()
    local_clock: Token | None = None

    def of(self, daemon: str) -> tuple[TimeServer, ...]:
        """The servers of one daemon."""
        return tuple(server for server in self.servers if server.daemon == daemon)


@provides
def parse_time_sources(fs: GuestFS, services: Services) -> TimeSources:
    """The time sources. Files of a daemon that certainly does not start are left out."""
    servers: list[TimeServer] = []
    refclocks: list[RefClock] = []
    for line in _chrony_lines(fs) if services.starts(*_DAEMONS["chrony"]) is not False else ():
        words = line.words()
        if words[0].value in ("server", "pool", "peer") and len(words) > 1:
            servers.append(TimeServer("chrony", words[1], line.where))
        elif words[0].value == "refclock" and len(words) > 2:
            refclocks.append(RefClock(words[1].value.upper(), words[2], line.where))
    if services.starts(*_DAEMONS["ntp"]) is not False:
        servers.extend(_ntp(fs))
    if services.starts(*_DAEMONS["timesyncd"]) is not False:
        servers.extend(_timesyncd(fs))
    return TimeSources(tuple(servers), tuple(refclocks), _local_clock(fs))


def _chrony_lines(fs: GuestFS) -> Iterator[Line]:
    path = next((path for path in CHRONY if fs.is_file(path)), None)
    yield from _Chrony(fs).lines(path, 0) if path else ()


class _Chrony:
    """Follows include, confdir and sourcedir, within limits."""

    def __init__(self, fs: GuestFS) -> None:
        self.fs = fs
        self.files = 0

    def lines(self, path: str, depth: int) -> Iterator[Line]:
        """All directive lines of a file and what it includes, in the order chronyd reads them."""
        text = self.fs.text(path) if depth <= MAX_DEPTH and self.files < MAX_FILES else None
        self.files += 1
        for line in text.lines() if text is not None else ():
            if line.is_blank("#!;%"):  # chrony's comment signs
                continue
            words = line.words()
            if words[0].value in ("include", "confdir", "sourcedir") and len(words) > 1:
                for found in self._included(words[0].value, [word.value for word in words[1:]]):
                    yield from self.lines(found, depth + 1)
            else:
                yield line

    def _included(self, directive: str, arguments: list[str]) -> tuple[str, ...]:
        if directive == "include":
            return self.fs.glob(arguments[0])
        return layered(self.fs, arguments, ".conf" if directive == "confdir" else ".sources")


def _ntp(fs: GuestFS) -> Iterator[TimeServer]:
    path = next((path for path in NTP if fs.is_file(path)), None)
    text = fs.text(path) if path else None
    for line in text.lines() if text is not None else ():
        words = line.words()
        if line.is_blank() or words[0].value not in ("server", "pool", "peer"):
            continue
        hosts = [word for word in words[1:] if word.value not in ("-4", "-6")]
        # 127.127.t.u is a clock of the machine itself, no server: ntp.conf(5).
        if hosts and not hosts[0].value.startswith("127."):
            yield TimeServer("ntp", hosts[0], line.where)


def _timesyncd(fs: GuestFS) -> Iterator[TimeServer]:
    for value in read_settings(fs, "timesyncd.conf").all("Time", "NTP"):
        yield from (TimeServer("timesyncd", word, word.where) for word in words_of(value))


def _local_clock(fs: GuestFS) -> Token | None:
    text = fs.text(ADJTIME)
    lines = list(text.lines())[:3] if text is not None else []
    words = lines[2].words() if len(lines) == 3 else ()
    return words[0] if words and words[0].value == "LOCAL" else None
