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
_TOKEN = re.compile(r'#[^\n]*|"(?:\\.|[^"\\])*"|[\w./-]+|[{}\[\]=,]')
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
    """A ``filter`` or ``global_filter`` with its patterns in order; ``where`` is the whole setting."""

    name: str
    patterns: tuple[LvmPattern, ...]
    where: Span

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
    """The settings in effect; later files take precedence. ``use_devices_file`` is None where the LVM version's default applies."""

    filters: tuple[LvmFilter, ...] = ()
    use_devices_file: bool | None = None


@provides
def parse_lvm_conf(fs: GuestFS) -> LvmConf:
    """The guest's LVM configuration. Missing files count as empty."""
    return lvm_conf_from([text for path in PATHS if (text := fs.text(path))])


def lvm_conf_from(texts: list[GuestText]) -> LvmConf:
    """Merge configuration texts; later ones take precedence."""
    settings = {name: values for text in texts for name, values in _settings(text)}
    filters = (_filter(name, settings[f"devices/{name}"]) for name in ("filter", "global_filter") if settings.get(f"devices/{name}"))
    uses = settings.get("devices/use_devicesfile", [])
    return LvmConf(tuple(filters), (uses[-1].value.strip('"') != "0") if uses else None)


def _settings(text: GuestText) -> list[tuple[str, list[Token]]]:
    tokens = [text.group(match) for match, _count in zip(_TOKEN.finditer(text.content), range(MAX_TOKENS), strict=False)]
    tokens = [token for token in tokens if not token.value.startswith("#")]
    found: list[tuple[str, list[Token]]] = []
    sections: list[str] = []
    index = 0
    while index < len(tokens):
        word, after = tokens[index].value, tokens[index + 1].value if index + 1 < len(tokens) else ""
        if after == "{":
            sections.append(word)
            index += 2
        elif after == "=":
            values, index = _values(tokens, index + 2)
            found.append(("/".join((*sections, word)), values))
        else:
            if word == "}" and sections:
                sections.pop()
            index += 1
    return found


def _values(tokens: list[Token], index: int) -> tuple[list[Token], int]:
    if index >= len(tokens):
        return [], index
    if tokens[index].value != "[":
        return [tokens[index]], index + 1
    found: list[Token] = []
    index += 1
    while index < len(tokens) and tokens[index].value not in ("]", "{", "}"):
        if tokens[index].value != ",":
            found.append(tokens[index])
        index += 1
    return found, index + 1


def _filter(name: str, values: list[Token]) -> LvmFilter:
    patterns: list[LvmPattern] = []
    for value in values:
        match = _PATTERN.fullmatch(value.value.strip('"').replace('\\"', '"').replace("\\\\", "\\"))
        if match:
            patterns.append(LvmPattern(match[1] == "a", match[3], value.where))
    first, last = values[0].where, values[-1].where
    return LvmFilter(name, tuple(patterns), Span(first.path, first.start, last.end, first.line, first.column))
