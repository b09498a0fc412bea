"""Specifiers in values of unit files, ``%i`` for the instance of a template and so on (systemd.unit(5), "Specifiers")."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping

from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.unit_names import asked_by, is_unit_name
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable

_SPECIFIER = re.compile(r"%(.?)", re.DOTALL)
_POSSIBLE = frozenset(string.ascii_letters + string.digits)
_HOST, _MACHINE = re.compile(r"[A-Za-z0-9.-]{1,64}"), re.compile(r"[0-9a-fA-F]{32}")
_HEX = re.compile(rb"\\x([0-9a-f]{2})")
# Of the system's manager, which runs as root.
_FIXED = {
    "%": "%", "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc", "T": "/tmp", "V": "/var/tmp", "h": "/root",
    "u": "root", "U": "0", "g": "root", "G": "0",
}  # fmt: skip


def expanded(text: str, unit: str, host: Mapping[str, str] | None = None) -> str | None:
    """``text`` as it applies to ``unit`` of a guest with these :func:`host_values`; None where it has a specifier that is not known, or
    only at run time: systemd ignores a setting with the former. No letter or digit is after a ``%`` that stays (specifier_printf() of
    specifier.c).
    """
    if "%" not in text:
        return text
    stem, _, _kind = unit.rpartition(".")
    prefix, at, instance = stem.partition("@")
    last = prefix.rpartition("-")[2]
    makers: dict[str, Callable[[], str]] = {
        "n": lambda: unit, "N": lambda: stem, "p": lambda: prefix, "P": lambda: unescaped_name(prefix), "i": lambda: instance,
        "I": lambda: unescaped_name(instance), "j": lambda: last, "J": lambda: unescaped_name(last),
        "f": lambda: path_of(instance if at else prefix),
    }  # fmt: skip
    known = {**{key: make() for key, make in makers.items()}, **_FIXED, **(host or {})}
    if any(letter in _POSSIBLE and letter not in known for letter in _SPECIFIER.findall(text)):
        return None
    return _SPECIFIER.sub(lambda match: known.get(match[1], match[0]), text)


def words(unit: Unit, section: str, *keys: str) -> tuple[str, ...]:
    """The words of all values of these keys, as they apply to ``unit``. Dependencies add up: an empty one takes back none."""
    stated = unit.words(section, *keys)
    if section == "Unit":
        settings = (setting for part in unit.ini.named(section) for setting in part.settings if setting.key in keys)
        stated = tuple(word for setting in settings for word in words_of(setting.value))
    found = (expanded(word.value, unit.name, unit.host) for word in stated)
    return tuple(word for word in found if word is not None)


def units_named(unit: Unit, *keys: str) -> tuple[str, ...]:
    """The units that these dependencies of ``unit`` name. A word that is no unit's name counts for nothing."""
    return tuple(asked_by(word, unit.name) for word in words(unit, "Unit", *keys) if is_unit_name(word))


def host_values(fs: GuestFS) -> dict[str, str]:
    """The specifiers for the host name and the machine's id, where files of the guest determine them and can be read."""
    name = next((line for line in _lines(fs, "/etc/hostname") if not line.startswith("#")), "")
    found = {"H": name, "l": name.partition(".")[0]} if _HOST.fullmatch(name) else dict[str, str]()
    machine = next(iter(_lines(fs, "/etc/machine-id")), "")
    return {**found, "m": machine.lower()} if _MACHINE.fullmatch(machine) else found


def _lines(fs: GuestFS, path: str) -> list[str]:
    try:
        text = fs.text(path)
    except FactUnavailable:
        return []
    return [line for raw in text.content.splitlines() if (line := raw.strip())] if text is not None else []


def unescaped_name(name: str) -> str:
    r"""Part of a unit's name as text: ``a-b\x2dc`` is ``a/b-c`` (unit_name_unescape() of unit-name.c)."""
    raw = name.replace("-", "/").encode("utf-8", "surrogateescape")
    return _HEX.sub(lambda match: bytes((int(match[1], 16),)), raw).decode("utf-8", "surrogateescape")


def path_of(name: str) -> str:
    r"""The path that part of a unit's name stands for: ``srv-a\x2db`` is ``/srv/a-b``, ``-`` is ``/``."""
    return f"/{unescaped_name(name).strip('/')}"
