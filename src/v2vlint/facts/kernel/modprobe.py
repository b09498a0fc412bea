"""modprobe's configuration (modprobe.d(5)): blacklists, ``install`` commands, aliases, options.

Typical input::

    blacklist nouveau
    install usb-storage /bin/true
    alias eth0 e1000
    options mptspi mpt_loadmode=1
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.kernel.module_names import normal
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Span, Token

FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
LEGACY = ("/etc/modprobe.conf", "/etc/modprobe.conf.local", "/etc/modules.conf", "/etc/conf.modules")
MAX_FILES, MAX_COMMANDS, MAX_SHOWN = 2000, 50_000, 80
_KMOD = ("/bin/kmod", "/usr/bin/kmod", "/sbin/kmod", "/usr/sbin/kmod")
_BACKUP = re.compile(r"\.(?:dpkg-\w+|rpm(?:save|new|orig)|bak|orig|old|disabled|swp)$|~$")
_COMMANDS = frozenset({"alias", "blacklist", "install", "remove", "options", "softdep", "weakdep", "config", "include"})
_OF_ONE_WORD = frozenset({"blacklist", "config", "include"})
# Words end at blanks and tabs alone: with CR LF a module's name ends in CR, and is no module's (libkmod-config.c).
_WORD = re.compile(r"(?:[^ \t\n\\]|\\(?!\n))+")
# Possessive quantifiers: no line, however made, causes backtracking.
_LINE = re.compile(r"(?:[^\n\\]++|\\.|\\)*+", re.DOTALL)
_LOADS = re.compile(r"\b(?:modprobe|insmod|kmod)\b")


@dataclass(frozen=True, slots=True)
class ModprobeCommand:
    """One command. ``name`` is the module or alias pattern with ``_`` for ``-``; ``words`` all words after the command."""

    command: str
    name: str
    words: tuple[Token, ...]
    where: Span

    def __str__(self) -> str:
        return f"{self.command} {' '.join(word.value for word in self.words)}"[:MAX_SHOWN]

    @property
    def argument(self) -> str:
        """The text after the name, with runs of blanks collapsed."""
        return " ".join(word.value for word in self.words[1:]).rstrip("\r")

    @property
    def disables(self) -> bool:
        """Whether an ``install`` command loads nothing, as ``/bin/true`` and ``/bin/false`` do."""
        return self.command == "install" and not _LOADS.search(self.argument)


@dataclass(frozen=True, slots=True)
class Modprobe:
    """All commands in reading order. ``files`` are the files read, ``malformed`` the invalid lines."""

    commands: tuple[ModprobeCommand, ...] = ()
    files: tuple[str, ...] = ()
    malformed: tuple[Span, ...] = ()

    def blacklisted(self, module: str) -> ModprobeCommand | None:
        """The command that blocks loading ``module`` by alias, as udev does; loading it by name still works."""
        name = normal(module)
        return next((c for c in self.commands if c.command == "blacklist" and c.name == name), None)

    def disabled(self, module: str) -> ModprobeCommand | None:
        """The ``install`` command that blocks ``module`` for everything but insmod; modprobe uses the first that matches."""
        name = normal(module)
        found = next((c for c in self.commands if c.command == "install" and fnmatch.fnmatchcase(name, c.name)), None)
        return found if found and found.disables else None

    def turned_off(self, name: str) -> bool:
        """Whether ``modprobe NAME`` loads nothing for an ``alias NAME off``. Other aliases of the module still load it."""
        word = normal(name)
        found = next((c for c in self.commands if c.command == "alias" and fnmatch.fnmatchcase(word, c.name)), None)
        return found is not None and found.argument == "off"

    def aliases(self, pattern: re.Pattern[str]) -> tuple[ModprobeCommand, ...]:
        """Alias commands whose whole alias matches ``pattern``."""
        return tuple(c for c in self.commands if c.command == "alias" and len(c.words) > 1 and pattern.fullmatch(c.words[0].value))

    def options(self, module: str) -> tuple[ModprobeCommand, ...]:
        """Option commands for ``module``."""
        name = normal(module)
        return tuple(c for c in self.commands if c.command == "options" and fnmatch.fnmatchcase(name, c.name))


@dataclass(frozen=True, slots=True)
class LateModprobe:
    """The configuration after the root is mounted, or why it is unknown: earlier stages do not depend on it."""

    _known: Modprobe | FactUnavailable

    def get(self) -> Modprobe:
        """The configuration. FactUnavailable when it is not known."""
        if isinstance(self._known, FactUnavailable):
            # The same object is raised every time, and would gather the tracebacks of all.
            raise self._known.with_traceback(None)
        return self._known


@provides
def find_late_modprobe(fs: GuestFS) -> LateModprobe:
    """A file hides files of the same name in later folders; kmod reads only ``*.conf``, its predecessor more."""
    try:
        texts = [fs.text(path) for path in _files(fs)]
    except FactUnavailable as reason:
        return LateModprobe(reason)
    return LateModprobe(modprobe_from(text for text in texts if text is not None))


@provides
def parse_modprobe(late: LateModprobe) -> Modprobe:
    """The guest's configuration."""
    return late.get()


def _files(fs: GuestFS) -> Iterable[str]:
    modern = any(fs.exists(path) for path in _KMOD)
    winners: dict[str, str] = {}
    for folder in FOLDERS:
        for name in fs.listdir(folder):
            if name not in winners and _is_read(name, modern) and len(winners) < MAX_FILES:
                winners[name] = f"{folder}/{name}"
    folders = [path for _, path in sorted(winners.items()) if fs.is_file(path)]
    # modules.conf may be a link to modprobe.conf.
    return folders if modern else fs.distinct([*(path for path in LEGACY if fs.is_file(path)), *folders])


def _is_read(name: str, modern: bool) -> bool:
    return name.endswith(".conf") or (not modern and not name.startswith(".") and not _BACKUP.search(name))


def image_modprobe(image: Initramfs) -> Modprobe:
    """The configuration inside an initramfs image; places are named ``IMAGE!MEMBER``."""
    winners: dict[str, str] = {}
    for folder in FOLDERS:
        for path in image.under(folder.lstrip("/")):
            winners.setdefault(path.rsplit("/", 1)[1], path)
    members = [path for name, path in sorted(winners.items()) if name.endswith(".conf")]
    members += [path for path in ("etc/modprobe.conf",) if path in image.contents]
    return modprobe_from(GuestText(f"{image.where.path}!{path}", image.text(path) or "") for path in members)


def modprobe_from(texts: Iterable[GuestText]) -> Modprobe:
    """Parse configuration files in the order given."""
    commands: list[ModprobeCommand] = []
    malformed: list[Span] = []
    files: list[str] = []
    for text in texts:
        files.append(text.path)
        for match in _LINE.finditer(text.content):
            words = _words(text, match)
            if not any(word.value.strip() for word in words) or words[0].value.startswith("#") or len(commands) >= MAX_COMMANDS:
                continue
            where = text.span(words[0].where.start, words[-1].where.end)
            if words[0].value in _COMMANDS and len(words) > (1 if words[0].value in _OF_ONE_WORD else 2):
                commands.append(ModprobeCommand(words[0].value, normal(words[1].value), words[1:], where))
            else:
                malformed.append(where)
    return Modprobe(tuple(commands), tuple(files), tuple(malformed))


def _words(text: GuestText, line: re.Match[str]) -> tuple[Token, ...]:
    found = _WORD.finditer(text.content, line.start(), line.end())
    return tuple(text.token(match.start(), match.end()) for match in found)
