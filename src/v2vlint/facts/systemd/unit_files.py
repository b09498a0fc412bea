"""Unit files as the service manager loads them: the highest folder wins, drop-ins are merged over it, a link to /dev/null masks
(systemd.unit(5)).

``/run`` is empty when a guest starts; generators fill it from fstab and other files: :mod:`v2vlint.facts.systemd.mount_units`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.ini import units_from
from v2vlint.facts.syntax.layers import SYSTEMD, layered, winner
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.specifiers import host_values
from v2vlint.guest.fs import MAX_LINKS, GuestFS
from v2vlint.model.dataclass import dataclass

ADMIN = ("/etc/systemd/system.control", "/etc/systemd/system", "/etc/systemd/system.attached")
VENDOR = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
FOLDERS = (*ADMIN, *VENDOR)
MAX_UNITS = 5000
_ADDED = (".d", ".wants", ".requires", ".upholds")
"""Ends of the folders that add to a unit."""
_USUAL = ("sysinit.target", "basic.target")
_MADE = frozenset({"device", "slice", "swap"})
"""Kinds of units that need no file: two of them never, the last comes from fstab and partitions."""
_SCRIPTS = ("/etc/init.d", "/etc/rc.d/init.d")
_PROVIDES = re.compile(r"^#\s*Provides:(.*)$", re.MULTILINE | re.IGNORECASE)
_ALWAYS_THERE = frozenset({"systemd-debug-generator", "systemd-getty-generator"})
"""Generators that every build of systemd has: a folder without them is not systemd's own."""


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """The guest's units by name. ``listed`` are the names in the folders that exist, each folder once: on a merged /usr, /lib is
    /usr/lib.
    """

    _fs: GuestFS = field(repr=False)
    listed: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _host: Mapping[str, str] = field(default_factory=dict, repr=False)
    _aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Other names of a unit, as far as there are folders of theirs."""
    _scripts: list[frozenset[str]] = field(default_factory=list, compare=False, repr=False)
    """One set once it has been read."""

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that exist, in order of precedence."""
        return tuple(self.listed)

    @property
    def is_whole(self) -> bool:
        """Whether systemd's own targets are there: what a tree without them lacks may be elsewhere."""
        return all(map(self.path, _USUAL))

    def path(self, name: str) -> str | None:
        """The file in effect for ``name``, including a mask; for an instance without a file of its own, the template's."""
        for wanted in dict.fromkeys((name, template_of(name))):
            if found := self._holding(wanted):
                return f"{found[0]}/{wanted}"
        return None

    def _holding(self, name: str) -> tuple[str, ...]:
        """The folders with an entry called ``name``."""
        return tuple(folder for folder, names in self.listed.items() if name in names)

    def is_masked(self, name: str) -> bool:
        """Whether ``name`` can never start."""
        path = self.path(name)
        return path is not None and self._fs.is_masked(path)

    def own(self, name: str) -> Unit | None:
        """The unit file of this name with its drop-ins; None when there is no file, or it is masked."""
        path = self.path(name)
        if path is None or self.is_masked(name):
            return None
        text = self._fs.text(path)
        return None if text is None else self._laid_over(name, text.path, (path, *self._drop_ins(name)))

    def changes(self, name: str) -> Unit:
        """The drop-ins of ``name`` alone, as they apply to a generated unit of that name."""
        return self._laid_over(name, "", self._drop_ins(name))

    def named(self, suffix: str) -> tuple[str, ...]:
        """The names of all units that end in ``suffix``, sorted, including masked ones."""
        return tuple(sorted({name for names in self.listed.values() for name in names if name.endswith(suffix)})[:MAX_UNITS])

    def linked(self, name: str, kind: str) -> tuple[str, ...]:
        """The units that links in ``NAME.wants`` or ``NAME.requires`` add, also those of an alias; ``kind`` is ``wants`` or ``requires``.
        Files there add none.
        """
        own = (name, *self._aliases.get(name, ()))
        folders = tuple(f"{folder}/{one}.{kind}" for one in own for folder in self._holding(f"{one}.{kind}"))
        names = dict.fromkeys(entry for folder in folders for entry in self._fs.listdir(folder))
        live = ((entry, winner(self._fs, folders, entry)) for entry in names)
        return tuple(entry for entry, path in live if path and self._fs.readlink(path) and not self._fs.is_masked(path))

    def linking(self, kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every unit that has such links, with what they add."""
        owners = (owner.removesuffix(f".{kind}") for owner in self.named(f".{kind}"))
        yield from ((owner, self.linked(owner, kind)) for owner in owners)

    def generates(self, name: str) -> bool:
        """Whether the generator ``name`` runs: it is not masked (systemd.generator(7)), nor left out of a whole systemd."""
        folders = tuple(f"{folder}/system-generators" for folder in SYSTEMD)
        path = winner(self._fs, folders, name)
        if path:
            return not self._fs.is_masked(path)
        others = {other for folder in folders for other in self._fs.listdir(folder)}
        return not others.issuperset(_ALWAYS_THERE)

    def lacks(self, name: str) -> bool:
        """Whether certainly nothing makes the unit ``name``: neither a file nor a script, nor a generator that is not systemd's own."""
        stem, _, kind = name.rpartition(".")
        if kind in _MADE or name == "init.scope" or self.path(name) is not None or not self.is_whole:
            return False
        if (is_instance(name) and name.startswith("systemd-")) or self._is_script(stem):
            return False
        listed = (other for folder in SYSTEMD for other in self._fs.listdir(f"{folder}/system-generators"))
        return all(other.startswith("systemd-") for other in listed)

    def _is_script(self, stem: str) -> bool:
        """Whether systemd-sysv-generator may make a service of this name: of a script's, or of what one provides (sysv-generator.c)."""
        if not self._scripts:
            self._scripts.append(frozenset(_script_names(self._fs)))
        return stem in self._scripts[0]

    def administered(self) -> tuple[str, ...]:
        """The units with a file or drop-ins of the administrator's, sorted."""
        found = {name for folder in ADMIN for name in self.listed.get(folder, ()) if not name.endswith((".wants", ".requires"))}
        return tuple(sorted({name.removesuffix(".d") for name in found}))[:MAX_UNITS]

    def alias_of(self, name: str) -> str:
        """The unit that ``name`` is a link to (``default.target``), also by way of others (``runlevel5.target``), or else ``name``. A link
        to a file elsewhere gives ``name`` its content, and no other name (unit_file_build_name_map() of unit-file.c).
        """
        for _ in range(MAX_LINKS):
            path = self.path(name)
            link = self._fs.readlink(path) if path else None
            if not path or not link or self._fs.is_masked(path) or link.rpartition("/")[2] == name or self._is_outside(path, link):
                break
            name = link.rpartition("/")[2]
        return name

    def _is_outside(self, path: str, link: str) -> bool:
        """Whether the link at ``path`` leads to a file that is in no folder of units."""
        target = posixpath.normpath(posixpath.join(self._fs.resolve(posixpath.dirname(path)) or "/", link))
        folder = posixpath.dirname(target)
        real = {self._fs.resolve(one) for one in self.listed}
        return self._fs.exists(target) and folder not in FOLDERS and self._fs.resolve(folder) not in real

    def _drop_ins(self, name: str) -> tuple[str, ...]:
        """In the order of their own names, wherever they are. Of those with one name, the one nearest to the unit counts: /etc first, then
        the whole name, ``foo-.service.d`` for each foo-bar.service, a template; then aliases, and ``service.d`` last
        (unit_file_find_dropin_paths() of dropin.c).
        """
        places = [(folder, owner) for one in (name, *self._aliases.get(name, ())) for folder in self.listed for owner in _owners(one)]
        kind = name.rpartition(".")[2]
        every = (*places, *((folder, kind) for folder in self.listed))
        return layered(self._fs, [f"{folder}/{owner}.d" for folder, owner in every if f"{owner}.d" in self.listed[folder]], ".conf")

    def _laid_over(self, name: str, path: str, files: tuple[str, ...]) -> Unit:
        texts = tuple(text for file in files if (text := self._fs.text(file)) is not None)
        return Unit(name, path, units_from(texts), texts, self._host)


@provides
def find_unit_files(fs: GuestFS) -> UnitFiles:
    """The guest's units. Folders are listed once, files are read on demand."""
    # Reversed, so that of two names of one folder the one with higher precedence stays.
    found = {real: folder for folder in reversed(FOLDERS) if (real := fs.resolve(folder))}
    files = UnitFiles(fs, {folder: frozenset(fs.listdir(folder)) for folder in FOLDERS if folder in found.values()}, host_values(fs))
    return replace(files, _aliases=_aliases(files))


def _script_names(fs: GuestFS) -> Iterator[str]:
    for folder in _SCRIPTS:
        for script in fs.listdir(folder):
            text = fs.text(f"{folder}/{script}")
            provided = " ".join(_PROVIDES.findall(text.content)) if text is not None else ""
            yield script
            yield from (word.removesuffix(".sh") for word in (script, *provided.split()))


def _aliases(files: UnitFiles) -> dict[str, tuple[str, ...]]:
    listed = {name.removesuffix(end) for names in files.listed.values() for name in names for end in _ADDED if name.endswith(end)}
    found = dict[str, tuple[str, ...]]()
    for owner in sorted(listed)[:MAX_UNITS]:
        if (goal := files.alias_of(owner)) != owner:
            found[goal] = (*found.get(goal, ()), owner)
    return found


def _owners(name: str) -> tuple[str, ...]:
    """The names under which drop-ins for ``name`` are looked for in one folder, nearest first."""
    stem, _, kind = name.rpartition(".")
    parts = stem.split("-")
    prefixes = (f"{'-'.join(parts[:count])}-.{kind}" for count in reversed(range(1, len(parts))))
    return tuple(dict.fromkeys((name, *prefixes, template_of(name))))


def template_of(name: str) -> str:
    """``foo@.service`` for ``foo@bar.service``; any other name unchanged."""
    stem, dot, kind = name.rpartition(".")
    return f"{stem.partition('@')[0]}@{dot}{kind}" if is_instance(name) else name


def is_instance(name: str) -> bool:
    """Whether ``name`` is an instance of a template: ``foo@bar.service``."""
    return name.rpartition(".")[0].partition("@")[2] != ""


def unit_name(path: str, suffix: str) -> str:
    r"""The name of the unit for a path, as made by systemd-escape(1) ``--path``: ``/srv/a-b`` is ``srv-a\x2db.mount``."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("-".join(_escaped(part, first=not index) for index, part in enumerate(parts)) or "-") + suffix


def _escaped(part: str, first: bool) -> str:
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
    raw = part.encode("utf-8", "surrogateescape")
    text = "".join(chr(byte) if chr(byte) in plain else f"\\x{byte:02x}" for byte in raw)
    # A leading dot would make it a hidden file (do_escape() of unit-name.c).
    return f"\\x2e{text[1:]}" if first and text.startswith(".") else text
