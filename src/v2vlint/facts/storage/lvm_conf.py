"""``lvm.conf`` and ``lvmlocal.conf`` (lvm.conf(5)): the settings that restrict which block devices LVM scans::

devices {
    # filter = [ "a|.*|" ]            (a comment is documentation, not a setting)
    global_filter = [ "a|^/dev/sda2$|", "r|.*|" ]
    use_devicesfile = 1
}
"""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

PATHS = ("/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf")
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'[^']*'|[\w./-]+|[{}\[\]=,]""")
_PATTERN = re.compile(r"([ar])(.)(.*)\2", re.DOTALL)  # any character delimits: a|…|, r/…/
MAX_TOKENS = 50_000
MAX_PATTERN = 500
MAX_PATH = 32


@dataclass(frozen=True, slots=True)
class LvmPattern:
    """One pattern of a filter: accept or reject devices whose path matches ``regex`` (LVM's dialect, unanchored)."""

    accept: bool
    regex: str
    where: Span


@dataclass(frozen=True, slots=True)
class LvmFilter:
    """A ``filter`` or ``global_filter`` with its patterns in order; ``where`` is the whole value, without the brackets of a list.

    ``listed`` is false for a single string without brackets, which LVM takes for a list of one.
    """

    name: str
    patterns: tuple[LvmPattern, ...]
    where: Span
    listed: bool = True

    def accepts(self, *paths: str) -> bool | None:
        """Whether a device with these paths passes: each path's first matching pattern decides, and one accepted path suffices.

        None for an unreadable pattern. A path that matches no pattern is accepted.

        Paths are truncated to 32 characters: a hostile pattern may take time exponential in their length.
        """
        verdicts = [self._verdict(path[:MAX_PATH]) for path in paths]
        if True in verdicts or "unreadable" in verdicts:
            return True if True in verdicts else None
        return False not in verdicts

    def _verdict(self, path: str) -> bool | str | None:
        for pattern in self.patterns:
            try:
                if len(pattern.regex) <= MAX_PATTERN and re.search(pattern.regex, path):
                    return pattern.accept
            except (re.error, RecursionError):
                return "unreadable"
        return None


@dataclass(frozen=True, slots=True)
class LvmConf:
    """The settings in effect; later files take precedence. ``use_devices_file`` is None where the LVM version's default applies.

    ``searches_all``: every disk is searched for volumes that were listed by a name, not only disks without an identity.
    """

    filters: tuple[LvmFilter, ...] = ()
    use_devices_file: bool | None = None
    searches_all: bool = False


@provides
def parse_lvm_conf(fs: GuestFS) -> LvmConf:
    """The guest's LVM configuration. Missing files count as empty."""
    return lvm_conf_from([text for path in PATHS if (text := fs.text(path))])


def lvm_conf_from(texts: list[GuestText]) -> LvmConf:
    """Merge configuration texts; later ones take precedence."""
    settings = {name: value for text in texts for name, value in _settings(text)}
    set_ = ((name, settings.get(f"devices/{name}")) for name in ("filter", "global_filter"))
    filters = tuple(_filter(name, value) for name, value in set_ if value and value.tokens)
    uses = settings.get("devices/use_devicesfile", _Value()).tokens
    searches = settings.get("devices/search_for_devnames", _Value()).tokens
    return LvmConf(filters, (_string(uses[-1].value) != "0") if uses else None, bool(searches) and _string(searches[-1].value) == "all")


@dataclass(frozen=True, slots=True)
class _Value:
    """The members of a list, or the one scalar."""

    tokens: tuple[Token, ...] = ()
    listed: bool = False


def _settings(text: GuestText) -> list[tuple[str, _Value]]:
    tokens = [text.group(match) for match, _count in zip(_TOKEN.finditer(text.content), range(MAX_TOKENS), strict=False)]
    tokens = [token for token in tokens if not token.value.startswith("#")]
    found: list[tuple[str, _Value]] = []
    sections: list[str] = []
    index = 0
    while index < len(tokens):
        word, after = tokens[index].value, tokens[index + 1].value if index + 1 < len(tokens) else ""
        if after == "{":
            sections.append(word)
            index += 2
        elif after == "=":
            value, index = _value(tokens, index + 2)
            found.append(("/".join((*sections, word)), value))
        else:
            if word == "}" and sections:
                sections.pop()
            index += 1
    return found


def _value(tokens: list[Token], index: int) -> tuple[_Value, int]:
    if index >= len(tokens):
        return _Value(), index
    if tokens[index].value != "[":
        return _Value((tokens[index],)), index + 1
    found: list[Token] = []
    index += 1
    while index < len(tokens) and tokens[index].value not in ("]", "{", "}"):
        if tokens[index].value != ",":
            found.append(tokens[index])
        index += 1
    return _Value(tuple(found), listed=True), index + 1


def _string(word: str) -> str:
    """What a string means: in single quotes nothing is escaped."""
    if word.startswith("'"):
        return word[1:-1]
    return word.strip('"').replace('\\"', '"').replace("\\\\", "\\")


def _filter(name: str, read: _Value) -> LvmFilter:
    patterns: list[LvmPattern] = []
    for value in read.tokens:
        match = _PATTERN.fullmatch(_string(value.value))
        if match:
            patterns.append(LvmPattern(match[1] == "a", match[3], value.where))
    first, last = read.tokens[0].where, read.tokens[-1].where
    return LvmFilter(name, tuple(patterns), Span(first.path, first.start, last.end, first.line, first.column), read.listed)
