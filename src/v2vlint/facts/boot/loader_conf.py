"""Which entry systemd-boot starts: its settings (loader.conf(5)), applied to its menu."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from v2vlint.facts.boot.bls import SpecKey
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.syntax.caseless import find_case
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import WholeFile

_FIRST_WITH_PREFERRED = 260
_AUTOMATIC = (("auto-windows", "Windows Boot Manager", "EFI/Microsoft/Boot/bootmgfw.efi"), ("auto-efi-shell", "EFI Shell", "shell{}.efi"))
"""Identifier, title and place of the programs that systemd-boot adds at the end of its menu."""
_MORE = ("auto-osx", "auto-efi-default", "auto-reboot-to-firmware-setup", "auto-poweroff", "auto-reboot")
"""Other entries that it may add."""
_NO = frozenset({"0", "no", "n", "false", "f", "off"})
_SPECIAL = re.compile(r"\\(.)|(\*+)|(\?)|\[(\]?(?:\\.|[^\]\\])*)\]|(.)", re.DOTALL)
_RANGE = re.compile(r"\\?(.)-\\?(.)|\\?(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry of the menu. ``name`` is what settings call it; it is not ``named`` when it does not state its system.

    ``shown`` is false where that depends on the version. ``automatic``: systemd-boot adds it of its own accord.
    """

    key: SpecKey
    name: str
    entry: BootEntry
    named: bool = True
    shown: bool = True
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class LoaderConf:
    """The settings of a systemd-boot of some ``version`` (None: unknown) in the file ``path``, which may not exist."""

    path: str
    version: int | None
    settings: tuple[tuple[str, str], ...] = ()

    def value(self, name: str) -> str:
        """The last value of a setting; empty when there is none. Special names other than ``@saved`` are passed over."""
        found = [value for key, value in self.settings if key == name and (value[:1] != "@" or value.lower() == "@saved")]
        return found[-1] if found else ""

    def automatic(self, fs: GuestFS, esp: str, machine: str) -> Iterator[Candidate]:
        """The entries that systemd-boot adds for what it finds on the ESP."""
        for name, title, place in _AUTOMATIC if self.value("auto-entries") not in _NO else ():
            path = find_case(fs, esp, place.format(machine or "x64"))
            if path:
                entry = BootEntry(title, name, "", (), (), WholeFile(path), path, chainload=path)
                yield Candidate(SpecKey(name), name, entry, automatic=True)

    def default(self, found: Sequence[Candidate]) -> tuple[BootEntry | None, str]:
        """The entry that starts unattended, and why; None with the reason when that cannot be told."""
        told, reason = self._default([one for one in found if one.shown])
        if told != self._default(found)[0]:
            return None, "whether this systemd-boot shows an entry depends on its version, which cannot be told"
        return told, reason

    def _default(self, found: Sequence[Candidate]) -> tuple[BootEntry | None, str]:
        if not found:
            return None, "systemd-boot finds no entries"
        if self.value("timeout") == "menu-force":
            return None, f"the menu waits for a choice: timeout menu-force ({self.path})"
        preferred = self.value("preferred")
        wanted = next((one for one in self._matching(preferred, found) if not one.key.bad), None)
        if self.version is not None and self.version < _FIRST_WITH_PREFERRED:
            wanted = None
        told, reason = (wanted.entry, f"preferred {preferred} ({self.path})") if wanted else self._usual(found)
        if wanted and self.version is None and told != self._usual(found)[0]:
            return None, "whether this systemd-boot knows the setting preferred cannot be told"
        return told, reason

    def _usual(self, found: Sequence[Candidate]) -> tuple[BootEntry | None, str]:
        pattern = self.value("default")
        # The EFI variable LoaderEntryLastBooted; a converted guest starts with an empty NVRAM.
        if pattern.lower() == "@saved":
            return None, "the default is the entry booted last, which only the source's NVRAM knows"
        chosen = next(self._matching(pattern, found), None)
        if chosen:
            return chosen.entry, f"default {pattern} ({self.path})"
        # A profile of a unified image is called `NAME.efi@ID`.
        if pattern and ("@" in pattern or any(_matches(pattern, name) for name in _MORE)):
            return None, f"whether there is an entry for default {pattern} cannot be told ({self.path})"
        first = next((one for one in found if not one.automatic), found[0])
        how = "the first entry in systemd-boot's order" if not first.automatic else "systemd-boot finds no other"
        return first.entry, f"default {pattern} matches no entry, so the first is taken" if pattern else how

    def _matching(self, pattern: str, found: Iterable[Candidate]) -> Iterator[Candidate]:
        return (one for one in found if pattern and _matches(pattern, one.name))


def loader_conf(fs: GuestFS, esp: str, version: int | None) -> LoaderConf:
    """The settings on the ESP."""
    path = find_case(fs, esp, "loader/loader.conf")
    text = fs.text(path) if path else None
    lines = [line.text.split(None, 1) for line in text.lines() if not line.is_blank()] if text else []
    settings = tuple((words[0], unquoted(words[1].strip())) for words in lines if len(words) == 2)
    return LoaderConf(path or f"{esp.rstrip('/')}/loader/loader.conf", version, settings)


def unquoted(value: str) -> str:
    """``line_get_key_value`` of systemd's boot.c: quotes around the whole value."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _matches(pattern: str, name: str) -> bool:
    """``efi_fnmatch`` of efi-string.c: no negation in sets, backslashes quote, and case does not matter."""
    name, pieces, sizes = name.lower(), [""], [0]
    for match in _SPECIAL.finditer(pattern.lower()):
        if match[2]:
            pieces.append("")
            sizes.append(0)
        else:
            pieces[-1] += _translated(match)
            sizes[-1] += 1
    # Between asterisks each piece matches at the first place where it can, so that no pattern takes long.
    at = 0
    for number, piece in enumerate(pieces[:-1]):
        found = re.compile(piece, re.DOTALL).search(name, at)
        if found is None or (not number and found.start()):
            return False
        at = found.end()
    last = len(name) - sizes[-1]
    return (last == 0 if len(pieces) == 1 else last >= at) and re.fullmatch(pieces[-1], name[max(last, 0) :], re.DOTALL) is not None


def _translated(match: re.Match[str]) -> str:
    quoted, _star, question, chars, plain = match.groups()
    if chars is None:
        return "." if question else re.escape(quoted or plain)
    parts = [
        f"{re.escape(p[1])}-{re.escape(p[2])}" if p[1] else re.escape(p[3]) for p in _RANGE.finditer(chars) if (p[1] or "") <= (p[2] or "")
    ]
    return f"[{''.join(parts)}]" if parts else r"[^\s\S]"
