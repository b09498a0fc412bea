"""The ``[Match]`` section that .link and .network files share (systemd.link(5), systemd.network(5))."""

from __future__ import annotations

from v2vlint.facts.network.match import Condition, Match, MatchKey, Term, systemd_terms
from v2vlint.facts.network.udev_version import UdevVersion
from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.systemd_unit import Unit, in_containers_only, read_units
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Token

_KEYS = {
    MatchKey.MAC: ("MACAddress", "PermanentMACAddress"),
    MatchKey.PATH: ("Path",),
    MatchKey.DRIVER: ("Driver",),
    MatchKey.TYPE: ("Type",),
    MatchKey.KIND: ("Kind",),
    MatchKey.OTHER: ("Property", "Host", "Credential", "Firmware", "KernelCommandLine", "KernelVersion", "Version"),
}
# Versions 243 and 244 only warn about a file without a condition, 245 ignores it (networkd-network.c, link-config.c).
_NEEDS_MATCH = 245


def live_units(fs: GuestFS, suffix: str, version: UdevVersion) -> list[Unit]:
    """The units that may apply in a virtual machine. Since version 245 systemd ignores .link and .network files without a condition."""
    units = [unit for unit in read_units(fs, suffix) if not in_containers_only(unit)]
    return [unit for unit in units if version.number < _NEEDS_MATCH or _has_match(unit)]


def _has_match(unit: Unit) -> bool:
    return any(setting.value.value for part in unit.ini.named("Match") for setting in part.settings)


def match_of(unit: Unit, names: MatchKey, version: UdevVersion) -> Match:
    """The conditions of a unit. ``names`` is the property that its ``Name=`` or ``OriginalName=`` tests.

    Only ``Property=`` and similar, which test something other than the card, are undecided; conditions on the host hold as before.
    """
    if not version.number and not _has_match(unit):  # whether this systemd ignores the file is not known
        return (Condition(MatchKey.OTHER, ()),)
    keys = {names: ("Name",) if names is MatchKey.ANY_NAME else ("OriginalName",), **_KEYS}
    found = ((key, name, unit.ini.all("Match", name)) for key, settings in keys.items() for name in settings)
    rows = ((key, name, _terms(values)) for key, name, values in found if values)
    return tuple(Condition(key, terms) for key, name, terms in rows if terms and (key is not MatchKey.OTHER or name == "Property"))


def _terms(values: tuple[Token, ...]) -> tuple[Term, ...]:
    """A ``!`` before the value inverts all of its words, one before a later word only that word; an empty value resets the list."""
    terms: list[Term] = []
    for value in values:
        words = words_of(value)
        if not words:
            terms = []
        elif words[0].value.startswith("!"):
            first, *rest = systemd_terms(words)
            terms += [first, *(Term(term.value, inverted=True, mandatory=True) for term in rest)]
        else:
            terms += systemd_terms(words)
    return tuple(terms)
