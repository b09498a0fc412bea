"""systemd configuration files merged with their drop-ins (systemd.unit(5)): ``.link``, ``.network``, ``.netdev``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from v2vlint.facts.syntax.ini import IniFile, units_from, words_of
from v2vlint.facts.syntax.layers import SYSTEMD, drop_ins, layered, winner
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

FOLDERS = tuple(f"{folder}/network" for folder in SYSTEMD)

_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_FALSE = frozenset({"0", "no", "n", "false", "f", "off"})


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: its settings merged with those of its drop-ins, and the texts they come from. ``host`` are the values of specifiers that
    all units of the guest have in common, by letter.
    """

    name: str
    path: str
    ini: IniFile
    texts: tuple[GuestText, ...]
    host: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def head(self) -> Span:
        """The first section header of the unit's own file, or its start."""
        own = next((section.where for section in self.ini.sections if section.where.path == self.path), None)
        return own or Span(self.path, 0, 0, 1)

    def get(self, section: str, key: str) -> Token | None:
        """The last value of ``key``; None when unset or empty."""
        found = self.ini.get(section, key)
        return found if found is not None and found.value else None

    def words(self, section: str, *keys: str) -> tuple[Token, ...]:
        """The words of all values of these keys."""
        return tuple(word for key in keys for value in self.ini.all(section, key) for word in words_of(value))

    def boolean(self, section: str, key: str) -> bool | None:
        """The last valid value of a switch; an empty one is not valid (config_parse_bool())."""
        return next((value for text in reversed(self.stated(section, key)) if (value := boolean(text)) is not None), None)

    def stated(self, section: str, key: str) -> tuple[str, ...]:
        """Every value of ``key`` in order, also empty ones: for settings that do not begin anew after one."""
        every = (setting for one in self.ini.named(section) for setting in one.settings)
        return tuple(setting.value.value for setting in every if setting.key == key)

    def text_of(self, where: Span) -> GuestText:
        """The text that contains ``where``."""
        return next(text for text in self.texts if text.path == where.path)


def boolean(text: str) -> bool | None:
    """systemd's ``parse_boolean``; None for a value that it does not understand and ignores."""
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def read_units(fs: GuestFS, suffix: str) -> Iterator[Unit]:
    """The active units ending in ``suffix`` in systemd's network folders, in systemd's order."""
    for path in layered(fs, FOLDERS, suffix):
        name = path.rpartition("/")[2]
        texts = tuple(text for file in (path, *drop_ins(fs, FOLDERS, name)) if (text := fs.text(file)) is not None)
        yield Unit(name, path, units_from(texts), texts)


def read_settings(fs: GuestFS, name: str) -> IniFile:
    """A systemd configuration file (``timesyncd.conf``) with its drop-ins. Missing files count as empty."""
    main = winner(fs, SYSTEMD, name)
    texts = (fs.text(path) for path in (*((main,) if main else ()), *drop_ins(fs, SYSTEMD, name)))
    return units_from(text for text in texts if text is not None)


def in_containers_only(unit: Unit) -> bool:
    """Whether ``Virtualization=`` rules out that the unit applies in a virtual machine."""
    wanted = [word.value for word in unit.words("Match", "Virtualization")]
    return any(value in {"container", "no", "false", "0", "!vm", "!yes", "private-users"} for value in wanted)


def section_places(unit: Unit, names: Iterable[str]) -> tuple[Span, ...]:
    """The places of headers and settings in every section with one of these names."""
    sections = [section for name in names for section in unit.ini.named(name)]
    return tuple(place for section in sections for place in (section.where, *(setting.where for setting in section.settings)))


def setting_places(unit: Unit, section: str, keys: Iterable[str]) -> tuple[Span, ...]:
    """The places of all settings with one of these keys in sections called ``section``."""
    wanted = frozenset(keys)
    return tuple(setting.where for part in unit.ini.named(section) for setting in part.settings if setting.key in wanted)


def same_file(edits: Iterable[ReplaceText]) -> tuple[ReplaceText, ...]:
    """The edits in order of their places, without duplicates."""
    return tuple(sorted(set(edits), key=lambda edit: edit.where))
