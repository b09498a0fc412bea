"""sshd_config(5) as ``sshd -T`` prints it: includes in their place, the first value of a keyword counts, ``Match`` blocks left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.packages.installed import Packages
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Span, Token, WholeFile

PATH = "/etc/ssh/sshd_config"
MAX_DEPTH = 16
MAX_FILES = 500
_WORD = re.compile(r'"[^"]*"|[^\s"=]+')
_REST = re.compile(r'"[^"]*"|[^\s"]+')
_ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication", "skeyauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication", "hostdsakey": "hostkey", "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms", "hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms",
}  # fmt: skip
_OPTION_FILES = ("/etc/default/ssh", "/etc/sysconfig/sshd", "/etc/conf.d/sshd")
_OPTIONS = re.compile(r"^[ \t]*(?:export[ \t]+)?(?:SSHD_OPTS|OPTIONS|SSHD_OPTIONS)=(?P<value>.*)$", re.MULTILINE)
_CHANGES = re.compile(r"(?:^|[\s\"'])-[of]")
DEFAULTS = {
    "passwordauthentication": "yes", "pubkeyauthentication": "yes", "permitemptypasswords": "no", "kbdinteractiveauthentication": "yes",
    "hostbasedauthentication": "no", "ignorerhosts": "yes", "strictmodes": "yes", "x11forwarding": "no", "usedns": "no",
    "allowtcpforwarding": "yes", "allowagentforwarding": "yes", "gatewayports": "no", "permittunnel": "no", "permituserenvironment": "no",
    "maxauthtries": "6", "maxsessions": "10", "logingracetime": "120", "loglevel": "INFO", "port": "22", "printlastlog": "yes",
    "permitrootlogin": "prohibit-password", "clientaliveinterval": "0", "clientalivecountmax": "3", "tcpkeepalive": "yes",
}  # fmt: skip
"""What OpenSSH 8 and later do where nothing is said (servconf.c, fill_default_server_options)."""
_SURE_FROM = 8


@dataclass(frozen=True, slots=True)
class SshdSetting:
    """A keyword in lower case with its values. ``where`` is the line; ``match`` is its condition, empty outside ``Match``."""

    keyword: str
    values: tuple[Token, ...]
    where: Span
    match: str = ""

    @property
    def text(self) -> str:
        """The values as one, without quotes."""
        return " ".join(value.value.strip('"') for value in self.values)


@dataclass(frozen=True, slots=True)
class SshdConfig:
    """``settings`` in the order in which sshd reads them. ``options`` is the place of command-line options that change the configuration.
    ``version`` is OpenSSH's major version, None when unknown.
    """

    settings: tuple[SshdSetting, ...] = ()
    options: WholeFile | None = None
    version: int | None = None
    exists: bool = False

    def all(self, keyword: str) -> tuple[SshdSetting, ...]:
        """Every setting of a keyword outside ``Match`` blocks."""
        return tuple(one for one in self.settings if one.keyword == known(keyword) and not one.match)

    def get(self, keyword: str) -> SshdSetting | None:
        """The effective setting outside ``Match`` blocks; None when there is none."""
        return next(iter(self.all(keyword)), None)

    def conditional(self, keyword: str) -> tuple[SshdSetting, ...]:
        """The settings in ``Match`` blocks, which take precedence for the connections that match."""
        return tuple(one for one in self.settings if one.keyword == known(keyword) and one.match)

    def default(self, keyword: str) -> str:
        """sshd's default. FactUnavailable when it depends on the version or the vendor."""
        found = DEFAULTS.get(known(keyword))
        if found is None or self.version is None or self.version < _SURE_FROM:
            version = self.version or "of unknown version"
            raise FactUnavailable(WholeFile(PATH), f"says nothing of {keyword}, and what OpenSSH {version} then does is not known here")
        return found


def known(keyword: str) -> str:
    """The current name of a keyword in sshd, in lower case."""
    return _ALIASES.get(keyword.lower(), keyword.lower())


@provides
def parse_sshd_config(fs: GuestFS, packages: Packages) -> SshdConfig:
    """The settings, includes followed."""
    options = next((WholeFile(path) for path in _OPTION_FILES if _changes(fs, path)), None)
    found = [one for name in ("openssh-server", "openssh", "ssh") for one in packages.all(name)]
    version = re.match(r"(?:\d+:)?(\d+)", found[0].version) if found else None
    return SshdConfig(tuple(_settings(fs, PATH, "", 0, [])), options, int(version[1]) if version else None, fs.is_file(PATH))


def _changes(fs: GuestFS, path: str) -> bool:
    text = fs.text(path)
    return text is not None and any(_CHANGES.search(match["value"]) for match in _OPTIONS.finditer(text.content))


def _settings(fs: GuestFS, path: str, match: str, depth: int, files: list[str]) -> Iterator[SshdSetting]:
    """A ``Match`` ends with the file it is in; an included file starts with the condition of the line that includes it."""
    text = fs.text(path) if depth <= MAX_DEPTH and len(files) < MAX_FILES else None
    files.append(path)
    for line in text.lines() if text is not None else ():
        words = _words(line)
        if line.is_blank() or len(words) < 2:
            continue
        keyword = known(words[0].value)
        if keyword == "match":
            condition = " ".join(word.value for word in words[1:])
            match = "" if condition.lower() == "all" else condition
        elif keyword == "include":
            for found in _included(fs, words[1:]):
                yield from _settings(fs, found, match, depth + 1, files)
        else:
            yield SshdSetting(keyword, words[1:], line.where, match)


def _words(line: Line) -> tuple[Token, ...]:
    """The keyword ends at a blank or ``=``; a word that starts with ``#`` ends the line."""
    first = _WORD.search(line.text)
    if first is None:
        return ()
    rest = line.text[first.end() :]
    skip = first.end() + len(rest) - len(rest.lstrip(" \t="))
    found = [line.token(first.start(), first.end())]
    for word in _REST.finditer(line.text, skip):
        if word[0].startswith("#"):
            break
        found.append(line.token(word.start(), word.end()))
    return tuple(found)


def _included(fs: GuestFS, patterns: tuple[Token, ...]) -> Iterator[str]:
    for pattern in patterns:
        name = pattern.value.strip('"')
        yield from fs.glob(name if name.startswith("/") else f"/etc/ssh/{name}")
